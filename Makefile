# Each target only calls a script; the scripts run without make too.
.PHONY: help demo test ci

help:
	@echo "make demo   make a video of ten minutes and ask it three questions; SEED=2 makes another one (installs what is missing)"
	@echo "make test   run the tests (installs what is missing)"
	@echo "make ci     all checks: formatting, lints, layering, docs, demo, tests"

demo:
	@SEED=$(SEED) bash scripts/demo.sh

test:
	@bash scripts/test.sh

ci:
	@bash .ci/run
