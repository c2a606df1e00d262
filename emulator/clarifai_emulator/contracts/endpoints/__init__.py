"""Checks what clients ask of the platform's HTTP endpoints: OpenAI, MCP, REST and workflows, in any language."""
