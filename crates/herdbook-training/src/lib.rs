//! Use cases that join market, trainer and records: train, enhance, evaluate, report
