# One entry to everything. The scripts behind it run on the Node 24 in node_modules, whatever the machine has.
.POSIX:
.SUFFIXES:
.PHONY: help demo dev check fix test test-fast test-live bench cluster cluster-down package bootstrap bootstrap-tests
.PHONY: bootstrap-cluster clean images

ARGS =
BENCH =
# The tools in node_modules/.bin start with `env node`: theirs must come first, and ours is the one they find.
WITH_NODE_24 = PATH="$$PWD/node_modules/.bin:$$PATH"

help: ## Lists these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: bootstrap ## Shows a review from webhook to comments, nothing to set up; ARGS="--json" for one object
	@$(WITH_NODE_24) exec node packages/cli/bin/drydock.js demo $(ARGS)

dev: bootstrap ## Runs Drydock on this machine against the GitLab of your .env
	@$(WITH_NODE_24) exec node --env-file-if-exists=.env packages/cli/bin/drydock.js dev $(ARGS)

check: bootstrap ## Formats, types, lint, layers, unused code, generated files; ARGS="lint types" for some
	@$(WITH_NODE_24) exec node scripts/check.ts $(ARGS)

fix: bootstrap ## Mends what a machine can: format, lint, generated files
	@$(WITH_NODE_24); export PATH; node scripts/generate.ts; eslint --fix .; prettier --write --log-level warn .

test: bootstrap-tests ## Runs all tests but the live ones; ARGS="packages/queue" for some
	@$(WITH_NODE_24) exec node scripts/test.ts all $(ARGS)

test-fast: bootstrap ## Runs the tests that need no server, in under a minute
	@$(WITH_NODE_24) exec node scripts/test.ts fast $(ARGS)

test-live: bootstrap ## Runs the tests against your own GitLab and model key (docs say how)
	@$(WITH_NODE_24) exec node --env-file-if-exists=.env scripts/test.ts live $(ARGS)

bench: bootstrap-tests ## Measures and prints a table; BENCH=ingest for those whose name begins so
	@$(WITH_NODE_24) exec node bench/run.ts $(BENCH)

cluster: bootstrap-cluster ## Starts a real Kubernetes with Drydock in it; ARGS="control-plane" for less, "bridge" for no enforcement
	@$(WITH_NODE_24); export PATH; node cluster/src/main.ts up $(ARGS) && exec node scripts/install-chart.ts $(ARGS)

cluster-down: bootstrap ## Ends it and removes all of it; ARGS="--all" for those of tests too
	@$(WITH_NODE_24) exec node cluster/src/main.ts down $(ARGS)

images: bootstrap-cluster ## Builds the images: localhost/drydock/<name>:<version>, and archives in the user's cache; ARGS="agent" for some
	@$(WITH_NODE_24) exec node scripts/images.ts $(ARGS)

package: bootstrap ## Builds the npm package of the command: .cache/drydock-cli-<version>.tgz
	@mkdir -p .cache && $(WITH_NODE_24) npm pack --silent -w packages/cli --pack-destination .cache

bootstrap: ## Installs the locked dependencies, if they changed
	@sh scripts/bootstrap.sh

bootstrap-tests:
	@sh scripts/bootstrap.sh --redis --cluster

bootstrap-cluster:
	@sh scripts/bootstrap.sh --cluster

clean: ## Removes what can be made again: dependencies, caches, results
	rm -rf node_modules packages/*/node_modules packages/*/dist packages/cli/LICENSE packages/cli/THIRD-PARTY-NOTICES coverage .cache bench/results.json
