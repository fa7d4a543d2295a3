"""A herd with its own PostgreSQL database."""

import sqlite3
import uuid
from contextlib import closing

import psycopg2

from herd import Herd

# The tables that the checks of the records read.
TABLES = (
    "runs tags params latest_metrics metrics registered_models registered_model_aliases model_versions"
    " model_version_tags herdbook_events herdbook_leases"
).split()


class PostgresHerd(Herd):
    def __init__(self, folder, server):
        super().__init__(folder)
        self.server = server
        self.name = f"herd_{uuid.uuid4().hex}"
        # SQLAlchemy needs the name of the driver in the scheme; herdbook accepts both forms.
        self.uri = f"{server}/{self.name}".replace("postgresql://", "postgresql+psycopg2://")

    def __enter__(self):
        self.on_server(f"CREATE DATABASE {self.name}")
        return self

    def __exit__(self, *_):
        self.on_server(f"DROP DATABASE {self.name} WITH (FORCE)")

    def on_server(self, sql):
        with closing(psycopg2.connect(f"{self.server}/postgres")) as connection:
            connection.autocommit = True
            connection.cursor().execute(sql)

    def connect(self):
        """A direct connection to the database, without herdbook or MLflow."""
        return psycopg2.connect(f"{self.server}/{self.name}")

    def variables(self):
        return {"MLFLOW_TRACKING_URI": self.uri}

    def records(self):
        copy = sqlite3.connect(":memory:")
        copy.row_factory = sqlite3.Row
        with closing(self.connect()) as connection:
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            cursor = connection.cursor()
            for table in TABLES:
                cursor.execute(f"SELECT * FROM {table}")
                names = ", ".join(f'"{column.name}"' for column in cursor.description)
                copy.execute(f"CREATE TABLE {table} ({names})")
                marks = ", ".join("?" * len(cursor.description))
                copy.executemany(f"INSERT INTO {table} VALUES ({marks})", cursor.fetchall())
        return copy
