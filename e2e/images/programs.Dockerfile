# The programs of the tests: a broker, an app, a hostile webhook. Context: a folder with the three.
FROM scratch
COPY e2e-broker e2e-app e2e-hostile /
USER 65532:65532
