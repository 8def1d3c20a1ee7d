"""The parts of `otx train`, in the order of their work: plan, data, decisions, start, report."""
