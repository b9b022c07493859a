# make demo    the whole main job once, on real servers
# make test    every test
# Both set up .venv by themselves. ARGS adds arguments to either; PYTHON names another Python for .venv.

BIN := .venv/bin
BENCHMARKS = $(shell grep -l '__main__' bench/*.py)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint soak bench lock clean runtime development

help: ## Show this help
	@echo 'make TARGET [PYTHON=python3.12] [ARGS="..."]'
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: runtime ## Set up, then run the whole main job once on real servers
	@echo '==> hip demo'
	@$(BIN)/hip demo $(ARGS)

test: development ## Set up, then run every test but the soak
	@echo '==> pytest'
	@$(BIN)/python -m pytest -n 2 -m 'not soak' $(ARGS)

lint: development ## Check style, formatting, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

soak: development ## Run the tests with their full counts: make soak [SEED=n]
	@seed=$(if $(SEED),$(SEED),$$(date +%s)); echo "==> pytest -m soak; again with: make soak SEED=$$seed"; \
	HIP_WAIT_SCALE=0.01 HIP_SOAK_SEED=$$seed $(BIN)/python -m pytest -n 2 -m soak $(ARGS)

bench: development ## Run every benchmark
	@for script in $(BENCHMARKS); do echo "==> $$script"; $(BIN)/python "$$script" $(ARGS) || exit 1; done

lock: ## Renew the lock files (needs uv)
	requirements/lock

clean: ## Remove .venv, builds and caches; data and keys in var/ stay
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .benchmarks
	find src tests bench -type d -name __pycache__ -prune -exec rm -rf {} +

runtime:
	@PYTHON='$(PYTHON)' requirements/install embedded

development:
	@PYTHON='$(PYTHON)' requirements/install development
