"""The contract between a site and the coordinator, the algebra of fusing experts, and the auditor's commands."""
