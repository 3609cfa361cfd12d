#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Deletes everything in build/ but what was fetched (deps).
set -eu
cd "$(dirname "$0")/.."
[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name deps -exec rm -rf {} +
