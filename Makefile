# Every target runs in .venv, which `make install` creates; the other targets depend on it.
PYTHON ?= python3
BIN := .venv/bin
TWO_IN_ONE := $(BIN)/two-in-one

# Options of `make reproduce-ffpp`; without a root it generates the miniature.
FFPP_ROOT ?=
CELEBDF_ROOT ?=
FACES ?=
TEST_CROPS ?=
COMPRESSION ?= c23
DEVICES ?= 1
SEEDS ?= 0
# A recipe of configs/reproduce; by default the one that fits the data.
SETTING ?=
SOURCES = $(if $(FFPP_ROOT),--ffpp_root="$(FFPP_ROOT)") \
	$(if $(CELEBDF_ROOT),--celebdf_root="$(CELEBDF_ROOT)") \
	$(if $(FACES),--faces="$(FACES)") \
	$(if $(TEST_CROPS),--test_crops $(TEST_CROPS))
# Options of the benchmarks: a device, a folder of videos with one person per file, a checkout.
DEVICE ?= cpu
CLIPS ?=
BEFORE ?=
QUICK ?=
# Output of `make reproduce-ffpp`, which some benchmarks use.
RUN ?= runs/reproduce-ffpp/latest
TEACHER ?= $(RUN)/teacher-seed0/checkpoints/best.ckpt
CROPS ?= data/mini-ffpp-crops
# A file of configs/sweeps; the number of runs at a time, of a sweep or of `make reproduce-ffpp`.
SWEEP ?= projectors
JOBS ?=

.DEFAULT_GOAL := help
.PHONY: help install reproduce-ffpp claims sweep sweep-local test test-long test-fast test-parity bench bench-device bench-growth bench-homogenization bench-train bench-kill bench-data bench-evaluation bench-report bench-reproduction bench-statistics lint format check clean

help: ## Print this list of targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed ## Create .venv with all dependencies

# uv if it is installed, else pip; constraints.txt pins the tested versions.
.venv/.installed: pyproject.toml constraints.txt
	@if command -v uv >/dev/null; then \
		uv venv --allow-existing --python $(PYTHON) .venv && \
		uv pip install --python $(BIN)/python -c constraints.txt -e '.[dev]'; \
	else \
		$(PYTHON) -m venv .venv && $(BIN)/pip install -c constraints.txt -e '.[dev]'; \
	fi
	@touch $@

reproduce-ffpp: install ## Run the whole experiment, from videos to a report; FFPP_ROOT= CELEBDF_ROOT= COMPRESSION= DEVICES= FACES= TEST_CROPS= SEEDS= JOBS= SETTING=
	$(TWO_IN_ONE) reproduce --compression=$(COMPRESSION) --devices=$(DEVICES) --seeds $(SEEDS) $(SOURCES) $(if $(JOBS),--jobs=$(JOBS)) $(if $(SETTING),--setting=$(SETTING))

# One small file per teacher is kept with the code; a recorded teacher is not run again.
RECORD ?= benchmarks/results/experiment/$(if $(FACES),photographs,rendered)

claims: install ## Repeat the experiment of docs/experiment.md, resumable, in hours; FACES= TEST_CROPS= RECORD= DEVICES= JOBS=
	$(TWO_IN_ONE) reproduce --setting=$(if $(FACES),claims-faces,claims) --record="$(RECORD)" --devices=$(DEVICES) $(SOURCES) $(if $(JOBS),--jobs=$(JOBS))

sweep: install ## Run a sweep of configs/sweeps with W&B; SWEEP=
	$(BIN)/wandb sweep configs/sweeps/$(SWEEP).yaml 2>&1 | tee /dev/stderr \
		| sed -n 's/.*Run sweep agent with: //p' | PATH="$(CURDIR)/$(BIN):$$PATH" sh

sweep-local: install ## Run the same grid without an account, resumable; SWEEP= JOBS=
	$(TWO_IN_ONE) sweep --file=configs/sweeps/$(SWEEP).yaml $(if $(JOBS),--jobs=$(JOBS))

# One process per core; several threads of torch in each would compete for the cores. A process
# without tests takes some from the end of another's list, so that files mostly stay in one process.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses=4 --dist=worksteal

test: install ## Run the tests, under 12 minutes on 2 cores
	$(PYTEST) -m "not long"

test-long: install ## Run the few tests that take half a minute or more each
	$(PYTEST) -m long

test-fast: install ## Run the tests of up to 5 seconds that need no data set or browser, under 2 minutes on 2 cores
	$(PYTEST) -m "not slow"

# The official package pins old versions, so it has an environment of its own on top of .venv.
.venv-rotograd/.installed: .venv/.installed
	$(PYTHON) -m venv .venv-rotograd
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> "$$(.venv-rotograd/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/two-in-one.pth"
	.venv-rotograd/bin/pip install --no-deps rotograd==0.1.6.0 geotorch==0.3.0
	@touch $@

test-parity: .venv-rotograd/.installed ## Test the homogenization against the official package
	.venv-rotograd/bin/python -m pytest tests/parity

# On a GPU one command of nine minutes runs everything, and needs no installation.
bench: $(if $(filter cuda,$(DEVICE)),bench-device,bench-homogenization bench-train bench-kill bench-evaluation bench-report) ## Run the benchmarks that need no CLIPS, after reproduce-ffpp; on a GPU with DEVICE=cuda

bench-device: ## Everything that has a meaning on a GPU, in 9 minutes; DEVICE= QUICK=1 to try it
	$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -m benchmarks --device=$(DEVICE) $(if $(QUICK),--quick)

bench-homogenization: .venv-rotograd/.installed ## Time of a step with homogenization and its alternatives; DEVICE=
	.venv-rotograd/bin/python -m benchmarks.homogenization --device=$(DEVICE)

bench-train: install ## Time of the training loop against plain PyTorch; CROPS= TEACHER= DEVICE=
	$(BIN)/python -m benchmarks.training $(CROPS) $(TEACHER) --device=$(DEVICE)

bench-kill: install ## Kill and resume runs at random, 20 times; CROPS= TEACHER=
	$(BIN)/python -m benchmarks.kill_trials $(CROPS) $(TEACHER)

bench-data: install ## Rates of face extraction and crop loading against other tools; CLIPS=
	@test -d "$(CLIPS)" || { echo 'bench-data: set CLIPS= to a folder of videos with one person per file' >&2; exit 2; }
	$(BIN)/python -m benchmarks.data_faces --clips="$(CLIPS)"
	$(BIN)/python -m benchmarks.data_crops --clips="$(CLIPS)"

bench-evaluation: install ## Time and memory of evaluating 200,000 frame scores
	$(BIN)/python -m benchmarks.evaluation

bench-statistics: install ## Error rates, power and coverage of the verdicts, simulated
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.statistics

bench-growth: install ## Growth of each stage's cost with its size, and an estimate for FaceForensics++
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.growth

bench-report: install ## Time and size of the report; RUN= CROPS=
	$(BIN)/python -m benchmarks.report $(RUN) $(if $(CROPS),--crops=$(CROPS))

bench-check: install ## Time, memory and statistics of a check; PACKAGE= CHECKPOINT= CLIPS= RUNTIME=
	@test -d "$(CLIPS)" || { echo 'bench-check: set PACKAGE= to a package, CHECKPOINT= to the best.ckpt of its run, and CLIPS= to a folder of videos with one person per file' >&2; exit 2; }
	$(BIN)/python -m benchmarks.check $(PACKAGE) $(CHECKPOINT) $(CLIPS) $(if $(RUNTIME),--runtime=$(RUNTIME))

bench-reproduction: install ## Time of reproduce-ffpp against an earlier checkout with its own .venv; BEFORE=
	@test -d "$(BEFORE)" || { echo 'bench-reproduction: set BEFORE= to a checkout of an earlier commit' >&2; exit 2; }
	$(BIN)/python -m benchmarks.reproduction --before="$(BEFORE)"

lint: install ## Run ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install ## Format the code and apply ruff's fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint test test-long ## Run the linters and the tests

clean: ## Remove data, runs and caches, but not .venv
	rm -rf data runs .mypy_cache .ruff_cache .pytest_cache .hypothesis
