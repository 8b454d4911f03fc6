import java.io.File;
import org.apache.pdfbox.preflight.PreflightDocument;
import org.apache.pdfbox.preflight.ValidationResult;
import org.apache.pdfbox.preflight.parser.PreflightParser;

/** Checks files against PDF/A-1b: one line for each, "valid" or "INVALID" and the reasons. Exit 1 when any is not. */
public class Preflight {
    public static void main(String[] files) throws Exception {
        boolean valid = true;
        for (String name : files) {
            PreflightParser parser = new PreflightParser(new File(name));
            parser.parse();
            try (PreflightDocument document = parser.getPreflightDocument()) {
                document.validate();
                ValidationResult result = document.getResult();
                System.out.println(name + (result.isValid() ? " valid" : " INVALID"));
                for (ValidationResult.ValidationError e : result.getErrorsList()) {
                    System.out.println("  " + e.getErrorCode() + " " + e.getDetails());
                    valid = false;
                }
                valid &= result.isValid();
            }
        }
        System.exit(valid ? 0 : 1);
    }
}
