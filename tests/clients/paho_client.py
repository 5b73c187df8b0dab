"""Eclipse Paho as a client that is told what to do, see ../src/bin/clients/library.rs.

usage: paho_client.py pub|sub 3.1.1|5 PORT CLIENT_ID TOPIC QOS [persistent] [will=TOPIC]
"""

import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

role, version, port, client_id, topic, qos, *options = sys.argv[1:]
qos = int(qos)
persistent = "persistent" in options
will = next((option[5:] for option in options if option.startswith("will=")), None)
subscribed_once = False


def tell(line):
    print(line, flush=True)


def on_connect(client, userdata, flags, reason, properties):
    global subscribed_once
    if reason.is_failure:
        tell(f"refused {reason}")
        return
    tell(f"connected {int(flags.session_present)}")
    # A clean session is gone with its connection.
    if role == "sub" and (not subscribed_once or not flags.session_present):
        subscribed_once = True
        client.subscribe(topic, qos)


def on_message(client, userdata, message):
    tell(f"received {message.payload.decode()}")


five = version == "5"
clean = {} if five else {"clean_session": not persistent}
client = mqtt.Client(
    mqtt.CallbackAPIVersion.VERSION2,
    client_id,
    protocol=mqtt.MQTTv5 if five else mqtt.MQTTv311,
    **clean,
)
client.on_connect = on_connect
client.on_message = on_message
client.on_disconnect = lambda *_: tell("lost")
client.on_subscribe = lambda *_: tell("subscribed")
client.on_publish = lambda *_: tell("acknowledged")
client.reconnect_delay_set(1, 1)
if will:
    client.will_set(will, client_id, 1)

connect = {}
if five:
    connect["clean_start"] = not persistent
    connect["properties"] = Properties(PacketTypes.CONNECT)
    connect["properties"].SessionExpiryInterval = 300 if persistent else 0
client.connect("127.0.0.1", int(port), keepalive=30, **connect)
client.loop_start()
for line in sys.stdin:
    client.publish(topic, line.strip(), qos)
# The end of the input is goodbye.
client.on_disconnect = None
client.disconnect()
client.loop_stop()
