"""`inspector lab new`: the folder of a student."""

from __future__ import annotations

from pathlib import Path

import click

from inspector.cli.lab import secret_option
from inspector.cli.options import AnyPath


@click.command(short_help="Make a student's folder: files, answer sheet, README.")
@click.argument("name")
@click.option(
    "--student", "students", multiple=True, required=True, metavar="ID", help="For whom; may be repeated."
)
@click.option("--output", "-o", type=AnyPath(), metavar="DIR", help="Where the folders go. [NAME]")
@click.option("--csv", "as_csv", is_flag=True, help="Make the answer sheet CSV, not TOML.")
@secret_option
def command(
    name: str, students: tuple[str, ...], output: str | None, as_csv: bool, secret: str | None
) -> int:
    """Make the folder DIR/ID for the exercise of a NAME or of a FILE.toml.

    What a student gets follows from the secret and the ID: the same again makes the same bytes.

    Example: inspector lab new address-space --student alice
    """
    from inspector.cli.output import Output
    from inspector.lab.draw import Draw, variant_key
    from inspector.lab.exercise import load_exercise
    from inspector.lab.folder import MANIFEST, Machine, manifest_of, write_folder
    from inspector.lab.grounds import Grounds
    from inspector.lab.readme import readme
    from inspector.lab.secret import read_secret, require_name
    from inspector.lab.sheet import CSV_SHEET, TOML_SHEET, csv_sheet, toml_sheet

    exercise, key = load_exercise(name), read_secret(secret)
    for student in students:
        require_name(student)
    grounds = Grounds.here()
    machine = Machine(grounds.digest, None if grounds.profile is None else grounds.profile.kernel)
    parent = Path(output or exercise.name)
    for student in students:
        variant = exercise.variant.make(Draw(variant_key(key, exercise.name, student)))
        manifest = manifest_of(exercise, student, variant, machine).sealed(key)
        sheet = csv_sheet(exercise, variant) if as_csv else toml_sheet(exercise, student, variant)
        files = {
            "README.md": readme(exercise, student, variant, grounds.profile, as_csv=as_csv).encode(),
            CSV_SHEET if as_csv else TOML_SHEET: sheet.encode(),
            MANIFEST: manifest.document(),
        }
        write_folder(str(parent / student), files, variant.files)
        Output().lines([f"{parent / student}"])
    return 0
