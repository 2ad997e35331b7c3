#!/bin/sh
# All that wants a GPU, each in less than ten minutes:
#
#   OUT=reports/data sh benchmarks/gpu_session.sh [device_truth] [memory_truth] [prediction]
#
# Without a name, all three. Each goes on where it ended, so that the same command again fills in
# what there was no time for, or what a fault of the device cut short. Needs no network.

set -u
cd "$(dirname "$0")/.."
out=${OUT:-reports/data}
python=${PYTHON:-python3}
seconds=${SECONDS_EACH:-560}
name=${NAME:-$("$python" -c '
import re, torch
title = torch.cuda.get_device_properties(0).name if torch.cuda.is_available() else "none"
print(re.sub("[^a-z0-9]+", "-", title.lower()))')}
[ "$name" = none ] && { echo "no GPU here: nothing is measured" >&2; exit 2; }
mkdir -p "$out"
nvidia-smi > "$out/nvidia-smi.txt" 2>&1

# Ended ten seconds after its own end of time: what is written by then is kept.
limited() { timeout --signal=INT --kill-after=20 $((seconds + 10)) "$python" -m "$@"; }

failed=0
for what in "${@:-device_truth memory_truth prediction}"; do
    for one in $what; do
        case $one in
        device_truth) limited benchmarks.device_truth --device cuda --out "$out" --budget "$seconds" ;;
        memory_truth) limited benchmarks.memory_truth --out "$out" --budget "$((seconds - 20))" ;;
        prediction)
            limited benchmarks.prediction measure --name "$name" --device cuda --batch 1 --batch 16 \
                --out "$out" --budget "$((seconds - 30))"
            ;;
        *) echo "$one is not known; it is device_truth, memory_truth or prediction" >&2; exit 2 ;;
        esac || failed=1
    done
done
exit $failed
