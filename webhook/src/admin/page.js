const LOOKS = { denied: "bad", failed: "bad", injected: "good", again: "odd", Good: "good", Bad: "bad", Foreign: "odd" };

function render(status) {
  const shown = [];
  if (status.unready) shown.push(element("p", status.unready, "bad"));
  shown.push(element("p", "Serving certificate ends " + [].concat(expiry(status.certificateExpiryTimestampSeconds))[0] + "."));
  if (!status.details) {
    shown.push(element("p", "Names of endpoints and pods are shown to who comes from inside the pod: kubectl port-forward.", "odd"));
    return shown;
  }
  const { endpoints, decisions } = status.details;
  shown.push(...section("Endpoints (" + endpoints.length + " of " + status.endpoints + ")",
    ["endpoint", "check", "faults", "sidecars", "need a restart", "pods"],
    endpoints.map((endpoint) => [
      endpoint.namespace + "/" + endpoint.name,
      [endpoint.check, LOOKS[endpoint.check]],
      endpoint.faults.length ? [endpoint.faults.join("; "), "bad"] : "",
      endpoint.sidecars,
      [endpoint.outdated, endpoint.outdated ? "odd" : ""],
      endpoint.outdatedPods.join(", "),
    ]), "There are none."));
  shown.push(...section("Recent decisions",
    ["when", "webhook", "object", "result", "reason", "took", "message"],
    decisions.map((decision) => [
      since(decision.at),
      decision.webhook + (decision.dryRun ? " (dry run)" : ""),
      decision.kind + " " + decision.namespace + "/" + decision.name,
      [decision.result, LOOKS[decision.result]],
      decision.reason,
      decision.milliseconds.toFixed(1) + " ms",
      decision.message,
    ]), "None since this replica started."));
  return shown;
}
