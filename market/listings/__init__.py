"""Results on offer (成果), their pricing mode and their history."""
