"""Says that a resource does not exist in the platform's own words, which clients show and tests look for.

Recorded in the logs of the documentation (Clarifai/docs, ``code_snippets/python-sdk/model-upload``:
``local-dev.txt``, ``ollama-run.txt``, ``lm_studio_local_runner.txt`` …), all with the status 11101 "Resource does
not exist".
"""

APP = "app identified by path /users/{user}/apps/{id} not found"
COMPUTE_CLUSTER = "ComputeCluster with ID '{id}' not found. Check your request fields."
NODEPOOL = "Nodepool not found. Check your request fields."
DEPLOYMENT = "Deployment with ID '{id}' not found. Check your request fields."

# Of DeleteDeployments, with the status 25902 (``lm_studio_local_runner.txt``); of other kinds by analogy.
DELETED = "Some of the {noun} ids provided ({ids}) do not exist"
