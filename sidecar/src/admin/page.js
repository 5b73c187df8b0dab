function render(status, before, seconds) {
  const shown = status.obstacles.map((text) => element("p", text, "bad"));
  const endpoints = status.endpoints;
  const earlier = new Map(before ? before.endpoints.map((endpoint) => [endpoint.name, endpoint]) : []);
  const rate = (endpoint, direction) => {
    const then = earlier.get(endpoint.name);
    if (!then || seconds <= 0) return "…";
    return (Math.max(endpoint.messages[direction] - then.messages[direction], 0) / seconds).toFixed(1) + "/s";
  };
  shown.push(...section("Endpoints",
    ["endpoint", "broker", "method", "TLS", "generation", "sessions", "to broker", "to client", "token ends", "certificate ends"],
    endpoints.map((endpoint) => {
      const settings = endpoint.settings;
      const up = endpoint.sessions.filter((session) => session.broker_connected).length;
      const all = endpoint.sessions.length;
      return [
        endpoint.name,
        settings ? settings.host + " (" + settings.protocol + ")" : ["no settings", "bad"],
        settings ? settings.authentication : "",
        settings ? (settings.tls ? "yes" : ["no", "odd"]) : "",
        settings ? settings.generation : "",
        [up + " of " + all + " with broker", up < all ? "bad" : all ? "good" : ""],
        rate(endpoint, "to_broker"),
        rate(endpoint, "to_client"),
        expiry(endpoint.token_expiry_timestamp_seconds),
        expiry(endpoint.certificate_expiry_timestamp_seconds),
      ];
    }), "There are none."));
  const troubles = [];
  for (const endpoint of endpoints) {
    if (endpoint.settings_stale) troubles.push([endpoint.name, "settings", [endpoint.settings_stale, "odd"]]);
    for (const [kind, text] of Object.entries(endpoint.faults)) troubles.push([endpoint.name, kind, [text, "bad"]]);
    if (endpoint.last_dial_error) troubles.push([endpoint.name, "last dial", [endpoint.last_dial_error, "bad"]]);
  }
  shown.push(...section("Faults", ["endpoint", "of", "what"], troubles, "None is known."));
  const sessions = endpoints.flatMap((endpoint) => endpoint.sessions.map((session) => [
    endpoint.name,
    session.client_id,
    session.mqtt,
    session.client_connected ? "yes" : ["gone", "odd"],
    session.broker_connected ? ["yes", "good"] : ["no", "bad"],
    session.phase,
    session.inflight_messages,
    bytes(session.held_bytes),
    since(session.since),
    session.last_error ? [session.last_error, "odd"] : "",
  ]));
  shown.push(...section("Sessions",
    ["endpoint", "client id", "MQTT", "client", "broker", "phase", "unacknowledged", "held", "since", "last error"],
    sessions, "No app is connected."));
  return shown;
}
