CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)

CREATE TABLE artifacts (
	id VARCHAR(64) NOT NULL, 
	name VARCHAR(255) DEFAULT '' NOT NULL, 
	description TEXT DEFAULT '' NOT NULL, 
	type VARCHAR(255) DEFAULT '' NOT NULL, 
	schema_version VARCHAR(32) DEFAULT '' NOT NULL, 
	uri TEXT DEFAULT '' NOT NULL, 
	metadata JSON NOT NULL, 
	number_value DOUBLE, 
	namespace VARCHAR(63) DEFAULT '' NOT NULL, 
	created_at DOUBLE NOT NULL, digest VARCHAR(64) DEFAULT '' NOT NULL, uri_head VARCHAR(255) GENERATED ALWAYS AS (substr(uri, 1, 255)), 
	CONSTRAINT pk_artifacts PRIMARY KEY (id)
)

CREATE INDEX ix_artifacts_created_at_id ON artifacts (created_at, id)

CREATE INDEX ix_artifacts_name_id ON artifacts (name, id)

CREATE INDEX ix_artifacts_type_created_at_id ON artifacts (type, created_at, id)

CREATE TABLE experiments (
	id VARCHAR(64) NOT NULL, 
	display_name VARCHAR(255) DEFAULT '' NOT NULL, 
	description TEXT DEFAULT '' NOT NULL, 
	namespace VARCHAR(63) DEFAULT '' NOT NULL, 
	storage_state VARCHAR(16) NOT NULL, 
	created_at DOUBLE NOT NULL, 
	last_run_created_at DOUBLE DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_experiments PRIMARY KEY (id), 
	CONSTRAINT uq_experiments_namespace_display_name UNIQUE (namespace, display_name)
)

CREATE INDEX ix_experiments_created_at_id ON experiments (created_at, id)

CREATE TABLE pipeline_specs (
	digest VARCHAR(64) NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT pk_pipeline_specs PRIMARY KEY (digest)
)

CREATE TABLE pipeline_tags (
	owner_id VARCHAR(64) NOT NULL, 
	"key" VARCHAR(63) NOT NULL, 
	value VARCHAR(63) DEFAULT '' NOT NULL, 
	CONSTRAINT pk_pipeline_tags PRIMARY KEY (owner_id, "key")
)

CREATE INDEX ix_pipeline_tags_key_value ON pipeline_tags ("key", value)

CREATE TABLE pipelines (
	id VARCHAR(64) NOT NULL, 
	name VARCHAR(255) DEFAULT '' NOT NULL, 
	display_name VARCHAR(255) DEFAULT '' NOT NULL, 
	description TEXT DEFAULT '' NOT NULL, 
	namespace VARCHAR(63) DEFAULT '' NOT NULL, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_pipelines PRIMARY KEY (id), 
	CONSTRAINT uq_pipelines_namespace_name UNIQUE (namespace, name)
)

CREATE INDEX ix_pipelines_created_at_id ON pipelines (created_at, id)

CREATE TABLE pipeline_versions (
	id VARCHAR(64) NOT NULL, 
	pipeline_id VARCHAR(64) NOT NULL, 
	name VARCHAR(255) DEFAULT '' NOT NULL, 
	display_name VARCHAR(255) DEFAULT '' NOT NULL, 
	description TEXT DEFAULT '' NOT NULL, 
	code_source_url TEXT DEFAULT '' NOT NULL, 
	package_url TEXT DEFAULT '' NOT NULL, 
	spec_digest VARCHAR(64) NOT NULL, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_pipeline_versions PRIMARY KEY (id), 
	CONSTRAINT fk_pipeline_versions_pipeline_id FOREIGN KEY(pipeline_id) REFERENCES pipelines (id) ON DELETE CASCADE, 
	CONSTRAINT fk_pipeline_versions_spec_digest FOREIGN KEY(spec_digest) REFERENCES pipeline_specs (digest), 
	CONSTRAINT uq_pipeline_versions_pipeline_id_name UNIQUE (pipeline_id, name)
)

CREATE INDEX ix_pipeline_versions_pipeline_id_created_at_id ON pipeline_versions (pipeline_id, created_at, id)

CREATE TABLE runs (
	id VARCHAR(64) NOT NULL, 
	display_name VARCHAR(255) DEFAULT '' NOT NULL, 
	description TEXT DEFAULT '' NOT NULL, 
	experiment_id VARCHAR(64) DEFAULT '' NOT NULL, 
	namespace VARCHAR(63) DEFAULT '' NOT NULL, 
	object_namespace VARCHAR(63) DEFAULT '' NOT NULL, 
	storage_state VARCHAR(16) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	pipeline_id VARCHAR(64) DEFAULT '' NOT NULL, 
	pipeline_version_id VARCHAR(64) DEFAULT '' NOT NULL, 
	pipeline_name VARCHAR(255) DEFAULT '' NOT NULL, 
	spec_digest VARCHAR(64) NOT NULL, 
	parameters JSON NOT NULL, 
	pipeline_root TEXT DEFAULT '' NOT NULL, 
	service_account VARCHAR(255) DEFAULT '' NOT NULL, 
	recurring_run_id VARCHAR(64) DEFAULT '' NOT NULL, 
	retries INTEGER DEFAULT '0' NOT NULL, 
	created_at DOUBLE NOT NULL, 
	scheduled_at DOUBLE DEFAULT '0' NOT NULL, 
	finished_at DOUBLE DEFAULT '0' NOT NULL, 
	error_code INTEGER DEFAULT '0' NOT NULL, 
	error_message TEXT DEFAULT '' NOT NULL, 
	outputs JSON NOT NULL, trigger_id VARCHAR(64) DEFAULT '' NOT NULL, source_run_id VARCHAR(64) DEFAULT '' NOT NULL, overrides JSON DEFAULT '{}' NOT NULL, paused BOOLEAN DEFAULT 0 NOT NULL, asked INTEGER DEFAULT '0' NOT NULL, late_at DOUBLE DEFAULT '0' NOT NULL, told_late_at DOUBLE DEFAULT '0' NOT NULL, expires_at DOUBLE DEFAULT '0' NOT NULL, description_head VARCHAR(255) GENERATED ALWAYS AS (substr(description, 1, 255)), external BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_runs PRIMARY KEY (id), 
	CONSTRAINT fk_runs_spec_digest FOREIGN KEY(spec_digest) REFERENCES pipeline_specs (digest)
)

CREATE INDEX ix_runs_display_name_id ON runs (display_name, id)

CREATE TABLE tasks (
	id VARCHAR(64) NOT NULL, 
	run_id VARCHAR(64) NOT NULL, 
	parent_task_id VARCHAR(64) DEFAULT '' NOT NULL, 
	name VARCHAR(255) DEFAULT '' NOT NULL, 
	display_name VARCHAR(255) DEFAULT '' NOT NULL, 
	type VARCHAR(32) NOT NULL, 
	scope_path TEXT DEFAULT '' NOT NULL, 
	iteration_index INTEGER, 
	iteration_count INTEGER, 
	state VARCHAR(16) NOT NULL, 
	created_at DOUBLE NOT NULL, 
	started_at DOUBLE, 
	finished_at DOUBLE, 
	pod_name VARCHAR(255) DEFAULT '' NOT NULL, 
	folder TEXT DEFAULT '' NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	retry_at DOUBLE, 
	fingerprint VARCHAR(64) DEFAULT '' NOT NULL, 
	cached_from VARCHAR(64) DEFAULT '' NOT NULL, 
	error_code INTEGER DEFAULT '0' NOT NULL, 
	error_message TEXT DEFAULT '' NOT NULL, 
	inputs JSON NOT NULL, 
	outputs JSON NOT NULL, 
	states JSON NOT NULL, disruptions INTEGER DEFAULT '0' NOT NULL, looks INTEGER DEFAULT '0' NOT NULL, pool VARCHAR(255) DEFAULT '' NOT NULL, slots INTEGER DEFAULT '0' NOT NULL, sources JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_tasks PRIMARY KEY (id), 
	CONSTRAINT fk_tasks_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE, 
	CONSTRAINT uq_tasks_run_id_scope_path UNIQUE (run_id, scope_path)
)

CREATE INDEX ix_tasks_parent_task_id ON tasks (parent_task_id)

CREATE INDEX ix_tasks_run_id_created_at_id ON tasks (run_id, created_at, id)

CREATE TABLE cache_entries (
	number INTEGER NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	pipeline_name VARCHAR(255) DEFAULT '' NOT NULL, 
	namespace VARCHAR(63) DEFAULT '' NOT NULL, 
	task_id VARCHAR(64) NOT NULL, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_cache_entries PRIMARY KEY (number), 
	CONSTRAINT fk_cache_entries_task_id FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE
)

CREATE INDEX ix_cache_entries_fingerprint_pipeline_name_namespace_number ON cache_entries (fingerprint, pipeline_name, namespace, number)

CREATE INDEX ix_cache_entries_task_id ON cache_entries (task_id)

CREATE TABLE task_artifacts (
	task_id VARCHAR(64) NOT NULL, 
	output BOOLEAN NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	position INTEGER NOT NULL, 
	run_id VARCHAR(64) NOT NULL, 
	artifact_id VARCHAR(64) NOT NULL, 
	type VARCHAR(32) NOT NULL, 
	producer_task_name VARCHAR(255) DEFAULT '' NOT NULL, 
	producer_iteration INTEGER, 
	CONSTRAINT pk_task_artifacts PRIMARY KEY (task_id, output, "key", position), 
	CONSTRAINT fk_task_artifacts_artifact_id FOREIGN KEY(artifact_id) REFERENCES artifacts (id), 
	CONSTRAINT fk_task_artifacts_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE, 
	CONSTRAINT fk_task_artifacts_task_id FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE
)

CREATE INDEX ix_task_artifacts_artifact_id ON task_artifacts (artifact_id)

CREATE INDEX ix_task_artifacts_run_id ON task_artifacts (run_id)

CREATE TABLE notice_rules (
	id VARCHAR(64) NOT NULL, 
	display_name VARCHAR(255) DEFAULT '' NOT NULL, 
	namespace VARCHAR(63) DEFAULT '' NOT NULL, 
	events JSON NOT NULL, 
	only JSON NOT NULL, 
	channel VARCHAR(16) NOT NULL, 
	target JSON NOT NULL, 
	enabled BOOLEAN DEFAULT 1 NOT NULL, 
	cursor TEXT DEFAULT '' NOT NULL, 
	created_by VARCHAR(255) DEFAULT '' NOT NULL, 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	CONSTRAINT pk_notice_rules PRIMARY KEY (id)
)

CREATE INDEX ix_notice_rules_created_at_id ON notice_rules (created_at, id)

CREATE TABLE pools (
	name VARCHAR(63) NOT NULL, 
	slots INTEGER NOT NULL, 
	description TEXT DEFAULT '' NOT NULL, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_pools PRIMARY KEY (name)
)

CREATE TABLE recurring_runs (
	id VARCHAR(64) NOT NULL, 
	display_name VARCHAR(255) DEFAULT '' NOT NULL, 
	description TEXT DEFAULT '' NOT NULL, 
	experiment_id VARCHAR(64) DEFAULT '' NOT NULL, 
	namespace VARCHAR(63) DEFAULT '' NOT NULL, 
	object_namespace VARCHAR(63) DEFAULT '' NOT NULL, 
	pipeline_id VARCHAR(64) DEFAULT '' NOT NULL, 
	pipeline_version_id VARCHAR(64) DEFAULT '' NOT NULL, 
	spec_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	parameters JSON NOT NULL, 
	pipeline_root TEXT DEFAULT '' NOT NULL, 
	service_account VARCHAR(255) DEFAULT '' NOT NULL, 
	cron TEXT DEFAULT '' NOT NULL, 
	interval_seconds INTEGER DEFAULT '0' NOT NULL, 
	time_zone VARCHAR(64) DEFAULT '' NOT NULL, 
	start_at DOUBLE, 
	end_at DOUBLE, 
	max_concurrency INTEGER DEFAULT '1' NOT NULL, 
	no_catchup BOOLEAN NOT NULL, 
	enabled BOOLEAN DEFAULT 1 NOT NULL, 
	late_after_seconds INTEGER DEFAULT '0' NOT NULL, 
	counts_from DOUBLE NOT NULL, 
	cursor DOUBLE NOT NULL, 
	next_at DOUBLE, 
	started INTEGER DEFAULT '0' NOT NULL, 
	created_by VARCHAR(255) DEFAULT '' NOT NULL, 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	error_message TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_recurring_runs PRIMARY KEY (id)
)

CREATE INDEX ix_recurring_runs_created_at_id ON recurring_runs (created_at, id)

CREATE INDEX ix_recurring_runs_enabled_next_at ON recurring_runs (enabled, next_at)

CREATE INDEX ix_recurring_runs_experiment_id_created_at_id ON recurring_runs (experiment_id, created_at, id)

CREATE INDEX ix_recurring_runs_namespace_created_at_id ON recurring_runs (namespace, created_at, id)

CREATE TABLE recurring_backfills (
	id VARCHAR(64) NOT NULL, 
	recurring_run_id VARCHAR(64) NOT NULL, 
	start_at DOUBLE NOT NULL, 
	end_at DOUBLE NOT NULL, 
	max_concurrency INTEGER NOT NULL, 
	cursor DOUBLE NOT NULL, 
	created_by VARCHAR(255) DEFAULT '' NOT NULL, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_recurring_backfills PRIMARY KEY (id), 
	CONSTRAINT fk_recurring_backfills_recurring_run_id FOREIGN KEY(recurring_run_id) REFERENCES recurring_runs (id) ON DELETE CASCADE
)

CREATE INDEX ix_recurring_backfills_recurring_run_id ON recurring_backfills (recurring_run_id)

CREATE TABLE triggers (
	id VARCHAR(64) NOT NULL, 
	display_name VARCHAR(255) DEFAULT '' NOT NULL, 
	description TEXT DEFAULT '' NOT NULL, 
	experiment_id VARCHAR(64) DEFAULT '' NOT NULL, 
	namespace VARCHAR(63) DEFAULT '' NOT NULL, 
	object_namespace VARCHAR(63) DEFAULT '' NOT NULL, 
	pipeline_id VARCHAR(64) DEFAULT '' NOT NULL, 
	pipeline_version_id VARCHAR(64) DEFAULT '' NOT NULL, 
	spec_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	parameters JSON NOT NULL, 
	pipeline_root TEXT DEFAULT '' NOT NULL, 
	service_account VARCHAR(255) DEFAULT '' NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	source JSON NOT NULL, 
	token_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	enabled BOOLEAN DEFAULT 1 NOT NULL, 
	max_concurrency INTEGER DEFAULT '1' NOT NULL, 
	cursor TEXT DEFAULT '' NOT NULL, 
	fired_at DOUBLE DEFAULT '0' NOT NULL, 
	created_by VARCHAR(255) DEFAULT '' NOT NULL, 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	error_message TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_triggers PRIMARY KEY (id)
)

CREATE INDEX ix_triggers_created_at_id ON triggers (created_at, id)

CREATE INDEX ix_triggers_kind_enabled ON triggers (kind, enabled)

CREATE TABLE trigger_events (
	number INTEGER NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	trigger_id VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	facts JSON NOT NULL, 
	parameters JSON NOT NULL, 
	ancestors JSON NOT NULL, 
	created_at DOUBLE NOT NULL, 
	error_message TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_trigger_events PRIMARY KEY (number), 
	CONSTRAINT fk_trigger_events_trigger_id FOREIGN KEY(trigger_id) REFERENCES triggers (id) ON DELETE CASCADE, 
	CONSTRAINT uq_trigger_events_id UNIQUE (id)
)

CREATE INDEX ix_trigger_events_state_created_at ON trigger_events (state, created_at)

CREATE INDEX ix_trigger_events_trigger_id_created_at_id ON trigger_events (trigger_id, created_at, id)

CREATE INDEX ix_trigger_events_trigger_id_state_number ON trigger_events (trigger_id, state, number)

CREATE TABLE notice_deliveries (
	id VARCHAR(64) NOT NULL, 
	rule_id VARCHAR(64) NOT NULL, 
	run_id VARCHAR(64) DEFAULT '' NOT NULL, 
	event VARCHAR(16) NOT NULL, 
	body JSON NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	next_at DOUBLE NOT NULL, 
	error_message TEXT DEFAULT '' NOT NULL, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_notice_deliveries PRIMARY KEY (id), 
	CONSTRAINT fk_notice_deliveries_rule_id FOREIGN KEY(rule_id) REFERENCES notice_rules (id) ON DELETE CASCADE
)

CREATE INDEX ix_notice_deliveries_rule_id_created_at_id ON notice_deliveries (rule_id, created_at, id)

CREATE INDEX ix_notice_deliveries_rule_id_state_created_at_id ON notice_deliveries (rule_id, state, created_at, id)

CREATE INDEX ix_notice_deliveries_state_next_at ON notice_deliveries (state, next_at)

CREATE TABLE approvals (
	task_id VARCHAR(64) NOT NULL, 
	run_id VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	message TEXT DEFAULT '' NOT NULL, 
	asked_at DOUBLE NOT NULL, 
	decided_at DOUBLE, 
	decided_by VARCHAR(255) DEFAULT '' NOT NULL, 
	comment TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_approvals PRIMARY KEY (task_id), 
	CONSTRAINT fk_approvals_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE, 
	CONSTRAINT fk_approvals_task_id FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE
)

CREATE INDEX ix_approvals_run_id ON approvals (run_id)

CREATE INDEX ix_approvals_state_asked_at ON approvals (state, asked_at)

CREATE INDEX ix_runs_expires_at ON runs (expires_at)

CREATE INDEX ix_runs_late_at ON runs (late_at)

CREATE INDEX ix_runs_told_late_at ON runs (told_late_at)

CREATE INDEX ix_runs_pipeline_name_created_at_id ON runs (pipeline_name, created_at, id)

CREATE INDEX ix_tasks_pool_state ON tasks (pool, state) WHERE pool != ''

CREATE TABLE "run_states" (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run_id VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	at DOUBLE NOT NULL, 
	error_code INTEGER DEFAULT '0' NOT NULL, 
	error_message TEXT DEFAULT ('') NOT NULL, 
	CONSTRAINT fk_run_states_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
)

CREATE INDEX ix_run_states_run_id_number ON run_states (run_id, number)

CREATE INDEX ix_runs_created_at_id_display_name ON runs (created_at, id, display_name)

CREATE INDEX ix_runs_finished_at_id_display_name ON runs (finished_at, id, display_name)

CREATE INDEX ix_runs_experiment_id_created_at_id_display_name ON runs (experiment_id, created_at, id, display_name)

CREATE INDEX ix_runs_namespace_created_at_id_display_name ON runs (namespace, created_at, id, display_name)

CREATE INDEX ix_runs_state_created_at_id_display_name ON runs (state, created_at, id, display_name)

CREATE INDEX ix_runs_storage_state_created_at_id_display_name ON runs (storage_state, created_at, id, display_name)

CREATE INDEX ix_runs_experiment_id_storage_state_created_at_id_display_name ON runs (experiment_id, storage_state, created_at, id, display_name)

CREATE INDEX ix_runs_description_head_id ON runs (description_head, id)

CREATE INDEX ix_runs_scheduled_at_id_display_name ON runs (scheduled_at, id, display_name)

CREATE INDEX ix_runs_pipeline_id_created_at_id ON runs (pipeline_id, created_at, id)

CREATE INDEX ix_runs_trigger_id_created_at_id ON runs (trigger_id, created_at, id)

CREATE INDEX ix_runs_recurring_run_id_scheduled_at_id ON runs (recurring_run_id, scheduled_at, id)

CREATE INDEX ix_artifacts_uri_head_id ON artifacts (uri_head, id)

CREATE INDEX ix_artifacts_namespace_created_at_id ON artifacts (namespace, created_at, id)

CREATE TABLE run_metrics (
	run_id VARCHAR(64) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	value DOUBLE NOT NULL, 
	CONSTRAINT pk_run_metrics PRIMARY KEY (run_id, name), 
	CONSTRAINT fk_run_metrics_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
)

CREATE INDEX ix_run_metrics_name_value_run_id ON run_metrics (name, value, run_id)

CREATE TABLE leavings (
	number INTEGER NOT NULL, 
	run_id VARCHAR(64) DEFAULT '' NOT NULL, 
	namespace VARCHAR(63) DEFAULT '' NOT NULL, 
	address TEXT DEFAULT '' NOT NULL, 
	kept JSON NOT NULL, 
	at DOUBLE NOT NULL, 
	CONSTRAINT pk_leavings PRIMARY KEY (number)
)

INSERT INTO alembic_version VALUES ('0004')
