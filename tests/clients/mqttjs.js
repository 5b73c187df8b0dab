// MQTT.js as a client that is told what to do, see ../src/bin/clients/library.rs.
//
// usage: mqttjs.js pub|sub 3.1.1|5 PORT CLIENT_ID TOPIC QOS [persistent] [will=TOPIC]
"use strict";

const readline = require("node:readline");
const mqtt = require("mqtt");

const [role, version, port, clientId, topic, level, ...options] = process.argv.slice(2);
const qos = Number(level);
const persistent = options.includes("persistent");
const will = options.find((option) => option.startsWith("will="));
const five = version === "5";
const tell = (line) => console.log(line);

const client = mqtt.connect({
  protocol: "mqtt",
  host: "127.0.0.1",
  port: Number(port),
  protocolVersion: five ? 5 : 4,
  clientId,
  clean: !persistent,
  keepalive: 30,
  reconnectPeriod: 1000,
  ...(five && persistent ? { properties: { sessionExpiryInterval: 300 } } : {}),
  ...(will ? { will: { topic: will.slice(5), payload: clientId, qos: 1, retain: false } } : {}),
});
let subscribed = false;
let leaving = false;
client.on("connect", (connack) => {
  tell(`connected ${Number(connack.sessionPresent)}`);
  // After a reconnect the library subscribes again by itself.
  if (role === "sub" && !subscribed) {
    subscribed = true;
    client.subscribe(topic, { qos }, (error) => tell(error ? `refused ${error}` : "subscribed"));
  }
});
client.on("message", (_, payload) => tell(`received ${payload}`));
client.on("close", () => leaving || tell("lost"));
client.on("error", (error) => tell(`refused ${error}`));

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => {
  client.publish(topic, line.trim(), { qos }, (error) => tell(error ? `refused ${error}` : "acknowledged"));
});
// The end of the input is goodbye.
lines.on("close", () => {
  leaving = true;
  client.end(false, () => process.exit(0));
});
