"""Reports: results -> a document (plain data) -> a medium. Nothing here prints, opens or decides."""
