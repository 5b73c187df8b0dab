# Both programs of the product. The injected container has arguments only, so the sidecar is the entry point; the webhook's
# Deployment names its own command. Context: a folder with the two.
FROM scratch
COPY dataflow-sidecar dataflow-webhook /
USER 65532:65532
ENTRYPOINT ["/dataflow-sidecar"]
