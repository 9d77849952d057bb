"""Groups of settings, by what they are about: type, default, range, unit and what each is for."""
