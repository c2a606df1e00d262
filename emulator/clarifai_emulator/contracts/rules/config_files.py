"""Defines the rules about the files beside model.py: config.yaml and requirements.txt."""

from __future__ import annotations

from clarifai_emulator.contracts.rules.rule import Breaks, Rule, Severity

RULES = (
    Rule(
        "model-directory",
        Severity.ERROR,
        Breaks.ALL,
        "A model directory lacks a file",
        "The SDK refuses it at upload.",
        "Create config.yaml, requirements.txt and 1/model.py; `clarifai-emulator init DIR` writes all three.",
    ),
    Rule(
        "config-invalid",
        Severity.ERROR,
        Breaks.ALL,
        "config.yaml has what the platform does not take",
        "The SDK refuses it at upload, or the platform when it builds the model.",
        "Mend the line as the message says.",
    ),
    Rule(
        "config-doubtful",
        Severity.WARNING,
        Breaks.NOBODY,
        "config.yaml has what works here and not on the platform",
        "The model runs in the emulator, and is refused or changed by the platform.",
        "Mend the line as the message says.",
    ),
    Rule(
        "not-in-image",
        Severity.ERROR,
        Breaks.ALL,
        "The model uses what is not in its image",
        "The platform's image has the folder 1, config.yaml and requirements.txt of a model directory. What lies "
        "beside them is sent and left out, unless a Dockerfile of yours copies it; a replica here does not see it "
        "either.",
        "Move it into the folder 1, or write a Dockerfile that copies it.",
    ),
    Rule(
        "upload-refused",
        Severity.ERROR,
        Breaks.ALL,
        "The SDK's upload refuses the model directory",
        "`clarifai model upload`, of the SDK that the model names, ends before it sends anything. The emulator "
        "runs the model all the same. `contract show` asks that upload; `--static` goes by rules.",
        "Mend what the message says.",
    ),
    Rule(
        "compute-missing",
        Severity.WARNING,
        Breaks.ALL,
        "config.yaml does not say what compute the model needs",
        "The SDK refuses to upload it: for `contract show` that is an error. The emulator runs it with what is "
        "there.",
        "Add `compute:` with an `instance:`, or `inference_compute_info:`.",
    ),
    Rule(
        "compute-unmet",
        Severity.ERROR,
        Breaks.ALL,
        "No nodepool of the topology has the compute that the model needs",
        "It cannot be deployed to any of them.",
        "Ask for less, or give a nodepool an instance type that has it.",
    ),
    Rule(
        "concepts-missing",
        Severity.ERROR,
        Breaks.ALL,
        "A model of this type needs concepts",
        "The SDK refuses it at upload: neither config.yaml has concepts, nor a checkpoint to take them from.",
        "Add `concepts:` with an id and a name each.",
    ),
    Rule(
        "requirements-invalid",
        Severity.ERROR,
        Breaks.ALL,
        "requirements.txt cannot be read",
        "The platform cannot build the model's environment.",
        "Mend the line as the message says.",
    ),
    Rule(
        "clarifai-missing",
        Severity.ERROR,
        Breaks.ALL,
        "requirements.txt does not name clarifai",
        "The model's environment has no runner to start.",
        "Add a line with the version you test with: `clarifai==12.5.0`.",
    ),
    Rule(
        "clarifai-unpinned",
        Severity.WARNING,
        Breaks.NOBODY,
        "requirements.txt does not say which clarifai",
        "A new version of the SDK can change the model's signatures, or refuse it, with the next build.",
        "Pin the version you test with: `clarifai==12.5.0`.",
    ),
    Rule(
        "agentic-requirements",
        Severity.ERROR,
        Breaks.ALL,
        "An agentic model needs fastmcp and mcp",
        "The SDK refuses an AgenticModelClass whose requirements.txt does not name both.",
        "Add `fastmcp` and `mcp` to requirements.txt.",
    ),
)
