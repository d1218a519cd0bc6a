# For test clusters alone: what the chart takes from a registry elsewhere. Small, because every new node is given it.
FROM docker.io/library/node:24-bookworm-slim AS tools
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates redis-server \
 && rm -rf /var/lib/apt/lists/*
COPY scripts/images/collect-root.sh /usr/local/bin/collect-root
RUN sh /usr/local/bin/collect-root /root-of-redis /usr/bin/redis-server /usr/bin/redis-cli /bin/dash /bin/cat \
 && ln -s dash /root-of-redis/bin/sh

FROM scratch
ENV PATH=/usr/bin:/bin
COPY --from=tools /root-of-redis /
CMD ["redis-server"]
