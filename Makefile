# Everything runs in .venv, which `make install` makes; the other targets call it themselves.
PYTHON ?= python3
BIN := .venv/bin
TWO_IN_ONE := $(BIN)/two-in-one

# What `make reproduce-ffpp` runs on; without a root it makes the miniature.
FFPP_ROOT ?=
CELEBDF_ROOT ?=
FACES ?=
COMPRESSION ?= c23
DEVICES ?= 1
SEEDS ?= 0
SOURCES = $(if $(FFPP_ROOT),--ffpp_root="$(FFPP_ROOT)") \
	$(if $(CELEBDF_ROOT),--celebdf_root="$(CELEBDF_ROOT)") \
	$(if $(FACES),--faces="$(FACES)")
# What a benchmark runs on: a device, and a folder of videos of one person each.
DEVICE ?= cpu
CLIPS ?=
# What `make reproduce-ffpp` leaves: benchmarks take it up.
RUN ?= runs/reproduce-ffpp/latest
TEACHER ?= $(RUN)/teacher-seed0/checkpoints/best.ckpt
CROPS ?= data/mini-ffpp-crops
# A file of configs/sweeps, and how many of its runs at a time.
SWEEP ?= projectors
JOBS ?=

.DEFAULT_GOAL := help
.PHONY: help install reproduce-ffpp sweep sweep-local test test-parity bench-homogenization bench-train bench-kill bench-data bench-evaluation bench-report lint format check clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed ## Make .venv with everything in it; does nothing the second time

# uv where it is there, pip otherwise; the constraints are the versions that were tested.
.venv/.installed: pyproject.toml constraints.txt
	@if command -v uv >/dev/null; then \
		uv venv --allow-existing --python $(PYTHON) .venv && \
		uv pip install --python $(BIN)/python -c constraints.txt -e '.[dev]'; \
	else \
		$(PYTHON) -m venv .venv && $(BIN)/pip install -c constraints.txt -e '.[dev]'; \
	fi
	@touch $@

reproduce-ffpp: install ## From videos to a report; FFPP_ROOT= CELEBDF_ROOT= COMPRESSION= DEVICES= FACES= SEEDS=
	$(TWO_IN_ONE) reproduce --compression=$(COMPRESSION) --devices=$(DEVICES) --seeds $(SEEDS) $(SOURCES)

sweep: install ## A sweep of configs/sweeps with W&B; SWEEP=
	$(BIN)/wandb sweep configs/sweeps/$(SWEEP).yaml 2>&1 | tee /dev/stderr \
		| sed -n 's/.*Run sweep agent with: //p' | PATH="$(CURDIR)/$(BIN):$$PATH" sh

sweep-local: install ## The same without an account; goes on where it stopped; SWEEP= JOBS=
	$(TWO_IN_ONE) sweep --file=configs/sweeps/$(SWEEP).yaml $(if $(JOBS),--jobs=$(JOBS))

# A process a core: with threads of torch in each they would wait for one another.
test: install ## The tests, under 12 minutes on 2 cores
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses=4 --dist=loadfile

# The official package pins what the rest does not: an environment beside ours sees ours first.
.venv-rotograd/.installed: .venv/.installed
	$(PYTHON) -m venv .venv-rotograd
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> "$$(.venv-rotograd/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ours.pth"
	.venv-rotograd/bin/pip install --no-deps rotograd==0.1.6.0 geotorch==0.3.0
	@touch $@

test-parity: .venv-rotograd/.installed ## The homogenization against the official package, live
	.venv-rotograd/bin/python -m pytest tests/parity

bench-homogenization: .venv-rotograd/.installed ## What it adds to a step, beside its peers; DEVICE=cpu or cuda
	.venv-rotograd/bin/python -m benchmarks.homogenization --device=$(DEVICE)

bench-train: install ## The training loop against plain PyTorch, start-up, the cached teacher; CROPS= TEACHER= DEVICE=
	$(BIN)/python -m benchmarks.training $(CROPS) $(TEACHER) --device=$(DEVICE)

bench-kill: install ## Runs killed at random and gone on with, twenty times; CROPS= TEACHER=
	$(BIN)/python -m benchmarks.kill_trials $(CROPS) $(TEACHER)

bench-data: install ## Faces found per minute and crops loaded per second, beside the peers; CLIPS=
	@test -d "$(CLIPS)" || { echo 'bench-data measures on real faces: give CLIPS=, a folder of videos of one person each' >&2; exit 2; }
	$(BIN)/python -m benchmarks.data_faces --clips="$(CLIPS)"
	$(BIN)/python -m benchmarks.data_crops --clips="$(CLIPS)"

bench-evaluation: install ## Time and memory of evaluating 200,000 frame scores with every interval
	$(BIN)/python -m benchmarks.evaluation

bench-report: install ## How long the report of RUN takes, and how large it is; RUN= CROPS=
	$(BIN)/python -m benchmarks.report $(RUN) $(if $(CROPS),--crops=$(CROPS))

lint: install ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install ## Let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint test ## Linters and tests

clean: ## Remove the miniature, the runs and the caches; .venv stays
	rm -rf data runs .mypy_cache .ruff_cache .pytest_cache .hypothesis
