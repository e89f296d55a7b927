#!/bin/sh
# On the machines of the file "hosts", where mailferry, users.csv and this folder stand alike; without --sshloginfile on this one.
exec parallel --sshloginfile hosts --workdir "$PWD" \
    mailferry migrate --batch users.csv --shard {}/8 --state-dir state --report-dir reports --resume --quiet ::: 1 2 3 4 5 6 7 8
