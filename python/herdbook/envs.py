"""The environments' ids: importing this registers ``herdbook/Trading-v0`` with Gymnasium.

``import herdbook`` does so too as soon as both it and Gymnasium are imported.
"""

from __future__ import annotations

try:
    import gymnasium
except ImportError as error:
    from ._errors import missing

    raise missing("gymnasium", "`herdbook/Trading-v0`", "env") from error

#: Keyword arguments of ``gymnasium.make`` are those of :class:`herdbook.TradingEnv`.
TRADING = "herdbook/Trading-v0"

if TRADING not in gymnasium.registry:
    gymnasium.register(id=TRADING, entry_point="herdbook._env:TradingEnv")
