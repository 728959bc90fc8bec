#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A directory that was born under one Chroma, upgraded by a second and by a
# third, each of which wrote into it.
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

vary
make_dir upgraded new "$seed" "$dim" 0.4.24 0.6.3
cp -r new older
check_reading "0.4.24 to 0.6.3" new 0.6.3
rm -rf new
mv older new
ok "upgraded: by 1.5.9" with 1.5.9 "$T_DIR/data/persist/make.py" new \
    "$((seed + 2))" "$dim" --upgrade
check_reading "0.4.24 to 0.6.3 to 1.5.9" new 1.5.9

done_testing
