# SPDX-License-Identifier: Apache-2.0
# tests/chroma/chromas.sh - which Chromas are tried; CHROMAS in the environment
# overrides it.  The first and the last of each way of storing things.
# shellcheck shell=sh disable=SC2034
: "${CHROMAS:=0.4.24 0.5.5 0.5.23 0.6.3 1.0.20 1.3.7 1.5.9}"
