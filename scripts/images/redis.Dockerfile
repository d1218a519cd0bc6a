# For test clusters alone: what the chart takes from a registry elsewhere.
FROM docker.io/library/node:24-bookworm-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends redis-server \
 && rm -rf /var/lib/apt/lists/*
ENTRYPOINT []
CMD ["redis-server"]
