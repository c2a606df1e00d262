"""Creates, reads, patches and deletes resources, whoever asks."""
