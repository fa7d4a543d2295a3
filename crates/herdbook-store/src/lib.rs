//! The records of runs, models and events in the database schema of MLflow
