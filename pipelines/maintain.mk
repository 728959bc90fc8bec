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
#   make -f maintain.mk info DIR=/srv/chroma
#	what is in it
#   make -f maintain.mk help
#
# Make stops with an error when a pipeline does; its status is in the message.

BIN ?= $(patsubst %/share/chromautils/,%/bin,$(dir $(realpath $(lastword $(MAKEFILE_LIST)))))
FLAGS ?=
.PHONY: help info export prune commit rebuild
export DIR TO AUDIT

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
