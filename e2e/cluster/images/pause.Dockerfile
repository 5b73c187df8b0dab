# The container that holds a pod's namespaces; it waits, and reaps orphans. Context: the folder of Debian's catatonit.
FROM scratch
COPY catatonit /catatonit
ENTRYPOINT ["/catatonit", "-P"]
