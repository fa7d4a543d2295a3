"""Importing this module registers ``herdbook/Trading-v0`` with Gymnasium.

``import herdbook`` also registers it, as soon as Gymnasium is imported.
"""

from __future__ import annotations

try:
    import gymnasium
except ImportError as error:
    from ._errors import missing

    raise missing("gymnasium", "`herdbook/Trading-v0`", "env") from error

#: ``gymnasium.make`` takes the keyword arguments of :class:`herdbook.TradingEnv`.
TRADING = "herdbook/Trading-v0"

if TRADING not in gymnasium.registry:
    gymnasium.register(id=TRADING, entry_point="herdbook._env:TradingEnv")
