"""The image generation service: prompts become characters, pictures become canvases."""
