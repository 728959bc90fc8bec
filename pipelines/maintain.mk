# SPDX-License-Identifier: Apache-2.0
# maintain.mk - the pipelines as make targets, for cron and systemd timers.
#
#   make -f maintain.mk export DIR=/srv/chroma TO=/backup
#	the log to an audit file in TO (a file, or a directory, where the file
#	gets the time as its name).  FLAGS: more options of chroma-export.
#   make -f maintain.mk prune DIR=/srv/chroma
#	delete the rows of the log that are not needed, without asking; Chroma
#	must be stopped.  AUDIT: a file for those rows.  FLAGS: more options of
#	chroma-prune.
#   make -f maintain.mk commit DIR=/srv/chroma
#	apply the log to records and indexes, without asking; Chroma must be
#	stopped.  FLAGS: more options of chroma-commit.
#   make -f maintain.mk rebuild DIR=/srv/chroma
#	build indexes with deleted elements anew, without asking; Chroma must
#	be stopped.  FLAGS: more options of chroma-rebuild.
#   make -f maintain.mk snapshot DIR=/srv/chroma TO=/backup
#	a snapshot into the directory TO; Chroma may be running.  KEEP: how many
#	stay there, or how long (14, 30d).  FLAGS: more options of
#	chroma-snapshot.
#   make -f maintain.mk verify TO=/backup
#	check the snapshots in TO (or TO, if it is a file).  FLAGS: more options
#	of chroma-verify.
#   make -f maintain.mk info DIR=/srv/chroma
#	what is in it
#   make -f maintain.mk help
#
# Make stops with an error when a pipeline does; its status is in the message.

BIN ?= $(patsubst %/share/chromautils/,%/bin,$(dir $(realpath $(lastword $(MAKEFILE_LIST)))))
FLAGS ?=
.PHONY: help info export prune commit rebuild snapshot verify
export DIR TO AUDIT KEEP

help:
	@sed -n 's/^#   //p' '$(realpath $(firstword $(MAKEFILE_LIST)))'

need_dir = $(if $(DIR),,$(error DIR=... is missing: the Chroma directory))

info:
	$(need_dir)@'$(BIN)/chroma-info' $(FLAGS) -- "$$DIR"

export:
	$(need_dir)$(if $(TO),,$(error TO=... is missing: the file or directory to write))@'$(BIN)/chroma-export' $(FLAGS) -- "$$DIR" "$$TO"

prune:
	$(need_dir)@'$(BIN)/chroma-prune' -y $(FLAGS) $(if $(AUDIT),--audit="$$AUDIT") -- "$$DIR"

commit rebuild:
	$(need_dir)@'$(BIN)/chroma-$@' -y $(FLAGS) -- "$$DIR"

snapshot:
	$(need_dir)$(if $(TO),,$(error TO=... is missing: the directory for snapshots))@'$(BIN)/chroma-snapshot' $(FLAGS) $(if $(KEEP),--keep="$$KEEP") -- "$$DIR" "$$TO"

verify:
	$(if $(TO),,$(error TO=... is missing: the directory of snapshots))@if [ -d "$$TO" ]; then set -- "$$TO"/*.tar.zst; else set -- "$$TO"; fi; \
	    '$(BIN)/chroma-verify' $(FLAGS) -- "$$@"
