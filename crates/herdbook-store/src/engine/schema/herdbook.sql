-- Our own tables and indexes beside MLflow's, for both engines. Every statement says `IF NOT EXISTS`: they run again wherever
-- something is missing. `{tag_value}` stands for the part of a tag's value that an engine can index.

-- One row for each layout of our tables that the store has had; the highest is the present one.
CREATE TABLE IF NOT EXISTS herdbook_schema (
	version INTEGER NOT NULL PRIMARY KEY
);
INSERT INTO herdbook_schema (version) VALUES (3) ON CONFLICT (version) DO NOTHING;

-- The append-only log. `id` has no gaps; `hash` covers every other column (see `Event::compute_hash`).
CREATE TABLE IF NOT EXISTS herdbook_events (
	id INTEGER NOT NULL PRIMARY KEY,
	act_id VARCHAR(32) NOT NULL,
	at_ms BIGINT NOT NULL,
	actor VARCHAR(256) NOT NULL,
	channel VARCHAR(16) NOT NULL,
	kind VARCHAR(32) NOT NULL,
	name VARCHAR(256),
	version INTEGER,
	run_id VARCHAR(32),
	from_state VARCHAR(32),
	to_state VARCHAR(32),
	reason VARCHAR(2000),
	parent_run_id VARCHAR(32),
	details TEXT NOT NULL,
	previous_hash VARCHAR(64) NOT NULL,
	hash VARCHAR(64) NOT NULL
);
CREATE INDEX IF NOT EXISTS herdbook_events_version ON herdbook_events (name, version, id);
CREATE INDEX IF NOT EXISTS herdbook_events_time ON herdbook_events (name, at_ms);
CREATE INDEX IF NOT EXISTS herdbook_events_run ON herdbook_events (run_id, id);
-- Finds the evaluations of the register, which are few, without reading all events.
CREATE INDEX IF NOT EXISTS herdbook_events_kind ON herdbook_events (kind, id);

-- Facts of each version's registration, repeated from the event `registered` so that a search can ask for a column. Whatever
-- follows here must follow from that event: the table is filled again from the log where it is missing or of an older layout.
CREATE TABLE IF NOT EXISTS herdbook_registrations (
	name VARCHAR(256) NOT NULL,
	version INTEGER NOT NULL,
	event_id INTEGER NOT NULL,
	honesty VARCHAR(32),
	CONSTRAINT herdbook_registration_pk PRIMARY KEY (name, version)
);

-- The sealed facts of each version that a search asks for, repeated from the first event that holds its seal. Both tables follow
-- from the log, as the one above.
CREATE TABLE IF NOT EXISTS herdbook_seals (
	name VARCHAR(256) NOT NULL,
	version INTEGER NOT NULL,
	event_id INTEGER NOT NULL,
	origin VARCHAR(32) NOT NULL,
	at_ms BIGINT NOT NULL,
	run_id VARCHAR(32),
	timeframe VARCHAR(32),
	model_type VARCHAR(32),
	honesty VARCHAR(32) NOT NULL,
	symbol VARCHAR(256),
	total_timesteps BIGINT,
	fingerprint VARCHAR(64),
	CONSTRAINT herdbook_seal_pk PRIMARY KEY (name, version)
);
CREATE INDEX IF NOT EXISTS herdbook_seals_kind ON herdbook_seals (timeframe, model_type, fingerprint);
CREATE INDEX IF NOT EXISTS herdbook_seals_run ON herdbook_seals (run_id);
CREATE TABLE IF NOT EXISTS herdbook_sealed_metrics (
	name VARCHAR(256) NOT NULL,
	version INTEGER NOT NULL,
	metric VARCHAR(250) NOT NULL,
	value DOUBLE PRECISION NOT NULL,
	CONSTRAINT herdbook_sealed_metric_pk PRIMARY KEY (name, version, metric)
);
CREATE INDEX IF NOT EXISTS herdbook_best_sealed ON herdbook_sealed_metrics (metric, value DESC, name, version);

-- The process that trains a run with status RUNNING, and the time of its last heartbeat.
CREATE TABLE IF NOT EXISTS herdbook_leases (
	run_uuid VARCHAR(32) NOT NULL PRIMARY KEY,
	host VARCHAR(256) NOT NULL,
	pid BIGINT NOT NULL,
	process_started BIGINT NOT NULL,
	refreshed_at_ms BIGINT NOT NULL
);

-- One row: the id of the store, and the database in which it was made or to which it was relocated.
CREATE TABLE IF NOT EXISTS herdbook_place (
	id INTEGER NOT NULL PRIMARY KEY,
	store_id VARCHAR(32) NOT NULL,
	place TEXT NOT NULL
);

-- The database itself refuses a second champion, whichever program writes it.
CREATE UNIQUE INDEX IF NOT EXISTS herdbook_one_champion ON model_version_tags (workspace, name)
	WHERE "key" = 'promotion_stage' AND value = 'champion';
-- Finds the champion of a model and the versions in a stage without reading all tags.
CREATE INDEX IF NOT EXISTS herdbook_version_tags ON model_version_tags ("key", value, workspace, name, version);
-- Finds the versions that MLflow deleted, to subtract them from counts, without reading all versions.
CREATE INDEX IF NOT EXISTS herdbook_deleted_versions ON model_versions (name, version)
	WHERE current_stage = 'Deleted_Internal';
CREATE INDEX IF NOT EXISTS herdbook_versions_run ON model_versions (run_id);
CREATE INDEX IF NOT EXISTS herdbook_versions_created ON model_versions (creation_time, version);
CREATE INDEX IF NOT EXISTS herdbook_run_tags ON tags ("key", {tag_value}, run_uuid);
CREATE INDEX IF NOT EXISTS herdbook_best_metrics ON latest_metrics ("key", is_nan, value DESC, run_uuid);
