# The images of Drydock, one target for each process: server, scheduler, gateway, agent, preflight.
#
#   docker build --target gateway --tag registry.example.com/drydock/gateway:0.1.0 .
#
# Each holds Node, its libraries and one bundled program, and no shell. Pin the base for a build that can be repeated:
#   --build-arg NODE_IMAGE=docker.io/library/node:24-bookworm-slim@sha256:...
# Behind a proxy, or with a registry of your own, pass your settings in (proxy build arguments; mounts over
# /root/.npmrc and /etc/apt/apt.conf.d): nothing of the build stages is part of an image.
ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim

# --- What npm needs to know of the workspaces: a change of other files leaves the installation below as it is.
FROM ${NODE_IMAGE} AS manifests
COPY package.json package-lock.json .npmrc /manifests/
COPY packages /packages
RUN cd / && find packages -maxdepth 2 -name package.json -exec cp --parents '{}' /manifests ';' \
 && find /manifests -exec touch --date=@0 '{}' +

FROM ${NODE_IMAGE} AS tools
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates git \
 && rm -rf /var/lib/apt/lists/*

# --- The programs, each bundled to one file.
FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY --from=manifests /manifests ./
# No script of a dependency runs, and the Node that the lock brings for contributors' machines is not fetched.
RUN npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
COPY LICENSE ./
COPY scripts/bundle-apps.ts scripts/run-command.ts ./scripts/
COPY scripts/images ./scripts/images
COPY scripts/package ./scripts/package
COPY packages ./packages
RUN node scripts/bundle-apps.ts /out server scheduler gateway agent preflight

# --- What is around them, found by what the programs really load.
FROM tools AS roots
COPY scripts/images/collect-root.sh /usr/local/bin/collect-root
RUN sh /usr/local/bin/collect-root /roots/node /usr/local/bin/node \
 && sh /usr/local/bin/collect-root /roots/git /usr/bin/git /usr/lib/git-core/git-remote-http \
 && cp -a /roots/git /roots/git-tls \
 && ln -s git-remote-http /roots/git-tls/usr/lib/git-core/git-remote-https

# --- The images.
FROM scratch AS base
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG SOURCE=https://drydock.dev
LABEL org.opencontainers.image.vendor="Drydock" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/usr/local/bin:/usr/bin:/bin NODE_ENV=production
COPY --from=roots /roots/node /
USER 10001:10001
WORKDIR /
ENTRYPOINT ["/usr/local/bin/node", "/app/main.js"]

FROM base AS server
LABEL org.opencontainers.image.title="drydock-server" \
      org.opencontainers.image.description="Webhooks in, control API out"
COPY --from=build /out/server /app

FROM base AS scheduler
LABEL org.opencontainers.image.title="drydock-scheduler" \
      org.opencontainers.image.description="The operator: leases tasks, launches one Job for each, drives publishing"
# Its objects live for milliseconds or for as long as an agent: a larger nursery only holds more garbage. Node's own
# choice is 1 MB in a container of 512 MB, which throws what is still in use among the old, and 64 MB in a large one.
ENV NODE_OPTIONS=--max-semi-space-size=8
COPY --from=build /out/scheduler /app

FROM base AS gateway
LABEL org.opencontainers.image.title="drydock-gateway" \
      org.opencontainers.image.description="The only holder of credentials: git reads, model calls, publishing"
COPY --from=roots /roots/git-tls /
COPY --from=build /out/gateway /app

# Its git speaks http alone: the gateway is all that an agent may reach.
FROM base AS agent
LABEL org.opencontainers.image.title="drydock-agent" \
      org.opencontainers.image.description="One attempt at one task in one pod"
COPY --from=roots /roots/git /
COPY --from=build /out/agent /app

FROM base AS preflight
LABEL org.opencontainers.image.title="drydock-preflight" \
      org.opencontainers.image.description="Proves the isolation of an agent's pod before it gets its token"
COPY --from=build /out/preflight /app
