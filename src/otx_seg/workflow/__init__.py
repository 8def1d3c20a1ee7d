"""The whole job: `otx run`."""
