"""Trains, enhances and promotes a model with herdbook alone.

    python life_cycle.py EURUSD.csv
"""

from __future__ import annotations

import sys

import herdbook

bars = sys.argv[1]
herdbook.train("1H", bars, timesteps=20_000)
child = herdbook.enhance("1H", "best", bars, enhance_type="replay", timesteps=20_000)
print("parent:", child.parent)

for version in (1, 2):
    herdbook.promote("1H", version, "beta", reason="on trial")
    herdbook.promote("1H", version, "champion", reason="good enough")
try:
    herdbook.promote("1H", 1, "champion")
except herdbook.ForbiddenTransitionError as error:
    print("refused:", error.message)

print("champion: version", herdbook.champion("1H").version)
for tree in herdbook.lineage("1H"):
    for model in tree.walk():
        print(model.name, model.version, model.model_type, model.promotion_stage)
print(herdbook.predict("1H", bars).action)
