"""Tables, importers, the synthetic season and the sample season."""
