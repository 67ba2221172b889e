# Each target only calls a script; the scripts run without make too.
.PHONY: help bench bench-peers demo test ci

help:
	@echo "make demo   make a video of ten minutes and ask it three questions; SEED=2 makes another one (installs what is missing)"
	@echo "make test   run the tests (installs what is missing)"
	@echo "make bench        measure the kernels, the stages of a run and this machine's limits; ARGS=--quick tries it"
	@echo "make bench-peers  compared with transformers and llama.cpp (installs them); ARGS='--quick' tries it, ARGS=--help tells all"
	@echo "make ci     all checks: formatting, lints, layering, docs, demo, tests"

bench:
	@bash scripts/bench.sh $(ARGS)

bench-peers:
	@bash scripts/bench-peers.sh $(ARGS)

demo:
	@SEED=$(SEED) bash scripts/demo.sh

test:
	@bash scripts/test.sh

ci:
	@bash .ci/run
