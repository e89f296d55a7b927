#!/bin/sh
# Where GNU parallel is missing, on one machine: four parts of eight at once.
seq 8 | xargs -P 4 -I '{}' \
    mailferry migrate --batch users.csv --shard '{}/8' --state-dir state --report-dir reports --resume --quiet
