# Context: .bin/current.
FROM scratch
COPY coredns /coredns
ENTRYPOINT ["/coredns"]
