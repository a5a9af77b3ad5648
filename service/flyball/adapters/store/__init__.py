"""The durable memory: one port (`model.ports.Store`), one adapter a database, one set of migrations for all."""
