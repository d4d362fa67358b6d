"""Output for people and programs: tables, files, pages and figures."""
