//! Bars with windows and costs, from which environments are created and on which models are measured.

use std::path::PathBuf;
use std::sync::Arc;

use herdbook_domain::{Timeframe, Timestamp};
use herdbook_training::{Boundaries, EnvFactory, EnvWindow, Rng};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::Value;

use crate::bars::{self, Bars, ReadingOptions};
use crate::env::{Env, Envs};
use crate::error::{detached, invalid};
use crate::json;

/// Bars with their windows and costs.
#[pyclass(frozen, module = "herdbook._native")]
pub(crate) struct Arena {
    pub(crate) inner: Arc<EnvFactory>,
}

#[pymethods]
impl Arena {
    /// Reads bars from the file `path`, from memory, or else the sample of the timeframe, and splits them into windows.
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
        let inner = detached(py, || {
            Ok(EnvFactory::prepare(&source, timeframe, boundaries, cost_bps, episode_bars)?)
        })?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// One environment on a window: `train`, `validation`, `test` or `all`.
    fn env(&self, py: Python<'_>, window: &str) -> PyResult<Env> {
        let env = self.inner.env(stretch(py, window)?);
        Ok(Env::new(env, Rng::new(0), Arc::clone(&self.inner)))
    }

    /// Several environments on a window.
    fn envs(&self, py: Python<'_>, window: &str, n_envs: usize) -> PyResult<Envs> {
        if n_envs == 0 {
            return Err(invalid(py, "0 environments cannot be stepped: give at least 1", None));
        }
        let stretch = stretch(py, window)?;
        Ok(Envs::new((0..n_envs).map(|_| self.inner.env(stretch)).collect()))
    }

    /// Measures a model file on the validation and test windows: values by metric name.
    fn measure<'py>(&self, py: Python<'py>, model: Vec<u8>) -> PyResult<Bound<'py, PyAny>> {
        let arena = &self.inner;
        let metrics = detached(py, || Ok(arena.measure(&EnvFactory::policy(&model)?)))?;
        json::to_python(py, &Value::from_iter(metrics))
    }

    /// Mean and standard deviation of the reward of a model file on the validation window.
    fn validate(&self, py: Python<'_>, model: Vec<u8>) -> PyResult<(f64, f64)> {
        let arena = &self.inner;
        detached(py, || Ok(arena.validate(&EnvFactory::policy(&model)?)))
    }

    /// The params that a run on these bars logs about bars, windows and costs.
    fn params<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &Value::from_iter(self.inner.params()))
    }

    /// The file of closes that a run on these bars keeps, by which its bars are recognised later.
    fn closes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.market().tape.closes.bytes())
    }

    /// Path of the file of closes among the artifacts of a run.
    #[classattr]
    const CLOSES_ARTIFACT: &str = herdbook_training::CLOSES_ARTIFACT;

    /// The description of the environment that is stored in a model file.
    fn description<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &Value::Object(self.inner.description()))
    }

    /// Remarks on how the bars were read.
    fn remarks(&self) -> Vec<String> {
        self.inner.market().tape.remarks.clone()
    }

    /// Instrument of the bars.
    #[getter]
    fn symbol(&self) -> String {
        self.inner.market().tape.symbol.to_string()
    }

    /// Length of one bar.
    #[getter]
    fn timeframe(&self) -> &'static str {
        self.inner.market().tape.bars.timeframe().as_str()
    }
}

fn stretch(py: Python<'_>, window: &str) -> PyResult<EnvWindow> {
    window.parse().map_err(|error: String| invalid(py, &error, None))
}
