"""Types of arguments, for type checkers. The command line checks the values."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Literal, Union

Timeframe = Literal["1M", "5M", "15M", "30M", "1H", "4H", "D"]
ModelType = Literal["base", "continued", "replay", "curriculum", "adaptive"]
Enhancement = Literal["continued", "replay", "curriculum", "adaptive"]
Stage = Literal["development", "beta", "champion", "archived"]
Moment = Union[str, datetime]
Reference = Union[int, str]
PathLike = Union[str, "os.PathLike[str]"]
