# The pods of check.sh. Context: the folder of Debian's busybox-static.
FROM scratch
COPY busybox /bin/busybox
ENTRYPOINT ["/bin/busybox"]
