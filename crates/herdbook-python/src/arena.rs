//! Bars from which Python's environments are made, and the measure of a model on them.

use std::path::PathBuf;
use std::sync::Arc;

use herdbook_domain::{Timeframe, Timestamp};
use herdbook_training::{Boundaries, EnvFactory as Ground, EnvWindow, Rng};
use pyo3::prelude::*;
use serde_json::Value;

use crate::bars::{self, Bars, ReadingOptions};
use crate::env::{Env, Envs};
use crate::error::{detached, invalid};
use crate::json;

/// Bars with their windows and costs.
#[pyclass(frozen, module = "herdbook._native")]
pub(crate) struct Arena {
    pub(crate) ground: Arc<Ground>,
}

#[pymethods]
impl Arena {
    /// Reads bars from the file `path`, from memory, or takes the sample of the timeframe, and splits them.
    #[new]
    #[pyo3(signature = (timeframe, *, path, bars, symbol, reading, validation_from, test_from, cost_bps, episode_bars))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword of its own in Python")]
    fn new(
        py: Python<'_>,
        timeframe: &str,
        path: Option<PathBuf>,
        bars: Option<PyRef<'_, Bars>>,
        symbol: Option<String>,
        reading: ReadingOptions,
        validation_from: Option<&str>,
        test_from: Option<&str>,
        cost_bps: f64,
        episode_bars: Option<usize>,
    ) -> PyResult<Self> {
        let timeframe: Timeframe =
            timeframe.parse().map_err(|error| invalid(py, &format!("{error}"), None))?;
        let moment = |text: Option<&str>| {
            let parsed = text.map(Timestamp::parse).transpose();
            parsed.map_err(|error| invalid(py, &error.to_string(), None))
        };
        let boundaries = Boundaries {
            validation_from_ms: moment(validation_from)?.map(Timestamp::millis),
            test_from_ms: moment(test_from)?.map(Timestamp::millis),
            test_until_ms: None,
        };
        if episode_bars == Some(0) {
            return Err(invalid(py, "an episode of 0 bars has no timestep: give at least 1", None));
        }
        let source = bars::source(py, path, bars.as_deref(), timeframe, symbol, reading)?;
        let ground = detached(py, || {
            Ok(Ground::prepare(&source, timeframe, boundaries, cost_bps, episode_bars)?)
        })?;
        Ok(Self { ground: Arc::new(ground) })
    }

    /// One environment on a window: `train`, `validation`, `test` or `all`.
    fn env(&self, py: Python<'_>, window: &str) -> PyResult<Env> {
        let env = self.ground.env(stretch(py, window)?);
        Ok(Env::new(env, Rng::new(0), Arc::clone(&self.ground)))
    }

    /// Several environments on a window.
    fn envs(&self, py: Python<'_>, window: &str, n_envs: usize) -> PyResult<Envs> {
        if n_envs == 0 {
            return Err(invalid(py, "0 environments step nothing: give at least 1", None));
        }
        let stretch = stretch(py, window)?;
        Ok(Envs::new((0..n_envs).map(|_| self.ground.env(stretch)).collect()))
    }

    /// What the test and validation windows make of a model file, by metric.
    fn measure<'py>(&self, py: Python<'py>, model: Vec<u8>) -> PyResult<Bound<'py, PyAny>> {
        let ground = &self.ground;
        let metrics = detached(py, || Ok(ground.measure(&Ground::policy(&model)?)))?;
        json::to_python(py, &Value::from_iter(metrics))
    }

    /// Mean and standard deviation of the reward of a model file on the validation window.
    fn validate(&self, py: Python<'_>, model: Vec<u8>) -> PyResult<(f64, f64)> {
        let ground = &self.ground;
        detached(py, || Ok(ground.validate(&Ground::policy(&model)?)))
    }

    /// What a run on these bars records of them.
    fn params<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &Value::from_iter(self.ground.params()))
    }

    /// What a model file says of the environment its model belongs to.
    fn description<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &Value::Object(self.ground.description()))
    }

    /// How the bars were read.
    fn remarks(&self) -> Vec<String> {
        self.ground.market().tape.remarks.clone()
    }

    /// The instrument.
    #[getter]
    fn symbol(&self) -> String {
        self.ground.market().tape.symbol.to_string()
    }

    /// Length of one bar.
    #[getter]
    fn timeframe(&self) -> &'static str {
        self.ground.market().tape.bars.timeframe().as_str()
    }
}

fn stretch(py: Python<'_>, window: &str) -> PyResult<EnvWindow> {
    window.parse().map_err(|error: String| invalid(py, &error, None))
}
